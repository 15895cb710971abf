"""One thing that a run measures on its target languages and in English: an endpoint with its languages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from lensbench.metrics import LANGUAGES, RATINGS, SCORES, Basis, Metric, metric_of
from lensbench.numbers.average import Average
from lensbench.numbers.run_results import Results
from lensbench.records import TaskKey
from lensbench.reporting.text.cell_text import metric_name

__all__ = ["Measure", "measures_of"]

_ORDER: tuple[Basis, ...] = (SCORES, LANGUAGES, RATINGS)


@dataclass
class Measure:
    """One metric from one grader under one profile.

    Attributes:
        name: The metric in words, with its identifier or judge; for headers.
        short: The metric in as few words as tell it from the other measures; for sentences.
        targets: Variant -> its average over the target languages; `base` included.
        languages: Language -> variant -> the average over its tasks. Of a run with one target language, that of the endpoint.
        english: Variant -> its average in English.
    """

    profile: str
    metric: Metric
    name: str
    short: str
    targets: dict[str, Average] = field(default_factory=dict)
    languages: dict[str, dict[str, Average]] = field(default_factory=dict)
    english: dict[str, Average] = field(default_factory=dict)

    @property
    def target_cells(self) -> tuple[TaskKey, ...]:
        """Tasks and languages of the endpoint."""
        return _keys(self.targets)

    @property
    def english_cells(self) -> tuple[TaskKey, ...]:
        """The same in English."""
        return _keys(self.english)

    @property
    def of_targets(self) -> str:
        """`4 tasks x 6 languages`, `XCOPA/zh`: what the endpoint is over."""
        return _counted(self.target_cells)

    @property
    def of_english(self) -> str:
        return _counted(self.english_cells)

    def difference(self, value: float) -> str:
        """A difference with its sign, in the unit of the metric: `+6.0`."""
        return self.metric.unit.text(value, sign=True)

    def loss(self, value: float) -> str:
        """A margin with its unit: `1 point`, `0.1`."""
        unit = self.metric.unit
        shown = f"{unit.scale * value:.6g}"
        return shown + (f" point{'' if shown == '1' else 's'}" if unit.difference else "")

    def gain(self, average: Average) -> str:
        """The difference with its unit and interval; of scores none of which differs, how much that leaves open."""
        assert average.delta is not None
        unit = self.metric.unit
        if average.differing == 0 and average.delta_high is not None:
            return (
                f"{self.short}: none of {average.pairs} scores differs, at most {unit.text(average.delta_high)}{unit.difference}"
            )
        return f"{self.short} {self.difference(average.delta)}{unit.difference} {self.interval(average)}"

    def interval(self, average: Average) -> str:
        """`[+4.9, +7.1]`; "no interval" where there is none."""
        if average.delta_low is None or average.delta_high is None:
            return "no interval"
        return f"[{self.difference(average.delta_low)}, {self.difference(average.delta_high)}]"


def measures_of(results: Results) -> list[Measure]:
    """What a run measures: scores first, then the language of answers, then ratings. Empty of an older version.

    Settings that were tried and not chosen are left out: the run does not speak of them.
    """
    found: dict[tuple[str, str, str, bool | None], Measure] = {}
    for average in results.averages:
        if average.role == "exploratory" or average.variant in results.left_out:
            continue
        key = (average.profile, average.metric, average.source, average.higher_is_better)
        metric = metric_of(average)
        name = metric_name(average)
        measure = found.setdefault(key, Measure(average.profile, metric, name, metric.short or metric.title))
        if average.role == "english":
            measure.english[average.variant] = average
        else:
            if average.role == "endpoint":
                measure.targets[average.variant] = average
            if average.language is not None:
                measure.languages.setdefault(average.language, {})[average.variant] = average
    _tell_apart(list(found.values()), lambda one: one.name.partition(" · ")[2])
    _tell_apart(list(found.values()), lambda one: one.profile)
    _tell_apart(list(found.values()), lambda one: "lower is better" if one.metric.higher_is_better is False else "")
    return sorted(found.values(), key=lambda one: _ORDER.index(one.metric.basis))


def _tell_apart(measures: Sequence[Measure], by: Callable[[Measure], str]) -> None:
    """Say the judge or identifier, or the profile, of measures that would be called alike."""
    groups: dict[str, list[Measure]] = {}
    for measure in measures:
        groups.setdefault(measure.short, []).append(measure)
    for alike in groups.values():
        if len({by(measure) for measure in alike}) > 1:
            for measure in alike:
                measure.short = ", ".join(filter(None, [measure.short, by(measure)]))


def _keys(averages: dict[str, Average]) -> tuple[TaskKey, ...]:
    return tuple(TaskKey.parse(cell) for cell in next(iter(averages.values())).cells) if averages else ()


def _counted(keys: Sequence[TaskKey]) -> str:
    tasks, languages = list(dict.fromkeys(k.task for k in keys)), list(dict.fromkeys(k.language for k in keys))
    if len(keys) == 1:
        return str(keys[0])
    of_tasks = tasks[0] if len(tasks) == 1 else f"{len(tasks)} tasks"
    of_languages = languages[0] if len(languages) == 1 else f"{len(languages)} languages"
    whole = len(keys) == len(tasks) * len(languages)
    return f"{of_tasks} x {of_languages}" if whole else f"{of_tasks}, {of_languages}, {len(keys)} cells"

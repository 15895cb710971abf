"""Which sweep of a run a figure shows, with which measures, and the sentences that its caption shares with the others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lensbench.errors import UsageError, unknown_name
from lensbench.numbers.sweep_settings import MethodSweep, Setting
from lensbench.numbers.sweep_table import ITEMS, SEEDS_AND_ITEMS, MeasureTable, SettingNumber
from lensbench.reporting.answer import Measure, measures_of
from lensbench.reporting.figures.panels import Choice
from lensbench.reporting.names import named
from lensbench.reporting.run_view import RunView
from lensbench.reporting.text.settings_table import of_measure

__all__ = ["ShownMeasure", "choose_measures", "choose_sweep", "number_sentences", "one_run"]

_MOST_NAMES = 4


@dataclass(frozen=True)
class ShownMeasure:
    """A measure with the numbers of the settings."""

    measure: Measure
    table: MeasureTable

    @property
    def quantity(self) -> str:
        """What stands along an axis."""
        unit, metric = self.measure.metric.unit, self.measure.metric
        text = f"difference{f' ({unit.difference.strip()})' if unit.difference else ''}"
        return text + (", lower is better" if metric.higher_is_better is False else "")


def one_run(runs: Sequence[RunView], kind: str) -> RunView:
    """
    Raises:
        UsageError: several runs.
    """
    if len(runs) > 1:
        raise UsageError(f"the figure '{kind}' is of one run, here are {len(runs)}", "The figure 'ablation' takes several.")
    return runs[0]


def choose_sweep(run: RunView, choice: Choice, switches: Sequence[str] = ()) -> MethodSweep:
    """The method whose settings are shown.

    Args:
        switches: Named ones; `lens.start_layer` also names the method.

    Raises:
        UsageError: the run has no sweep, an unknown method, or several methods to choose from.
    """
    varied = [sweep for sweep in run.sweep_table.sweeps if sweep.varies]
    if not varied:
        raise UsageError(
            f"{run.name} has no sweep: each of its methods has one setting",
            "Make one: lensbench run ``sweep=METHOD.KEY=VALUE,VALUE``.",
        )
    names = [sweep.method for sweep in varied]
    wanted = dict.fromkeys([*choice.variants, *(name for name in names if any(s.startswith(f"{name}.") for s in switches))])
    for name in wanted:
        if name not in names:
            raise unknown_name("method with several settings", name, names)
    if len(wanted or names) > 1:
        raise UsageError(
            f"{run.name} has sweeps of {len(names)} methods: {', '.join(names)}", f"Name one: ``variants={names[0]}``."
        )
    return next(sweep for sweep in varied if not wanted or sweep.method in wanted)


def choose_measures(run: RunView, choice: Choice) -> list[ShownMeasure]:
    """The endpoints of a run that a figure shows.

    Raises:
        UsageError: an unknown metric or language, or a run without endpoints; a task is named, of which a sweep shows none.
    """
    if choice.tasks:
        raise UsageError(
            "a sweep is shown on the run's endpoints, which are over its tasks",
            "Leave ``task`` out; the figure 'ablation' shows tasks.",
        )
    shown = [
        ShownMeasure(measure, own)
        for measure in measures_of(run.results)
        if (own := of_measure(measure, run.sweep_table)) is not None
    ]
    shown = [one for one in shown if one.table.targets or one.table.english]
    if not shown:
        raise UsageError(f"{run.name} has no endpoint to compare with base", "Score base and variants on the same items.")
    metrics = {one.measure.metric.name for one in shown}
    for name in choice.metrics:
        if name not in metrics:
            raise unknown_name("metric", name, metrics)
    languages = {code for one in shown for code in (*one.table.languages, "en")}
    for code in choice.languages:
        if code not in languages:
            raise unknown_name("language", code, languages)
    return [one for one in shown if not choice.metrics or one.measure.metric.name in choice.metrics]


def number_sentences(numbers: Iterable[SettingNumber], settings: Sequence[Setting], whiskers: str) -> list[str]:
    """What the intervals cover, how many seeds there are, and which settings have no number.

    Args:
        whiskers: What shows an interval, with its verb: "Ribbons are".
    """
    numbers = list(numbers)
    covers = {number.covers for number in numbers if number.covers}
    sentences = []
    if covers == {ITEMS}:
        sentences.append(f"{whiskers} 95% intervals over items; training seeds: not measured (one a setting).")
    elif covers:
        also = " or, of settings with one seed, over items alone" if ITEMS in covers else ""
        sentences.append(f"{whiskers} 95% intervals over {SEEDS_AND_ITEMS}{also}.")
    without = sum(number.delta is not None and not number.covers for number in numbers)
    if without:
        sentences.append(f"Without an interval: {without} of {len(numbers)} numbers.")
    counts = sorted({len(setting.variants) for setting in settings if setting.variants})
    if counts and counts[-1] > 1:
        sentences.append(f"Seeds a setting: {counts[0]}{f' to {counts[-1]}' if counts[-1] > counts[0] else ''}.")
    failed = [name for setting in settings for name in setting.failed]
    if failed:
        sentences.append(f"Could not be fitted: {named(failed, _MOST_NAMES)}.")
    return sentences

"""What every setting of a run gained on each endpoint and lost in English, with its seeds as one, and the Pareto front."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from lensbench.metrics import Metric, metric_of
from lensbench.numbers.average import Average, Retention
from lensbench.numbers.english import margin_of, retention
from lensbench.numbers.fitted_variants import FittedVariant, fitted_variants
from lensbench.numbers.pareto import Front, pareto_front
from lensbench.numbers.run_results import Results
from lensbench.numbers.seed_groups import SeedGroup
from lensbench.numbers.sweep_settings import MethodSweep, Setting, method_sweeps
from lensbench.records import RunFolder
from lensbench.spec import BASE

__all__ = ["ITEMS", "SEEDS_AND_ITEMS", "MeasureTable", "SettingNumber", "SweepTable", "sweep_table", "sweep_table_of"]

ITEMS, SEEDS_AND_ITEMS = "items", "seeds and items"
"""What an interval covers."""


@dataclass(frozen=True)
class SettingNumber:
    """The difference to `base` of one setting on one average.

    Attributes:
        delta: Mean over its seeds; of one seed its own. None where there is none.
        low, high: 95% interval.
        covers: "items", "seeds and items", or "" where there is no interval.
        seeds: Variant -> its own difference; None where it has none.
        verdicts: Variant -> its verdict; tests are of single variants.
        why: Why there is no number, or no interval; "" where there are both.
        margin, at_worst, retention: In English, as of an average, by the interval above.
    """

    delta: float | None
    low: float | None
    high: float | None
    covers: str
    seeds: Mapping[str, float | None]
    verdicts: Mapping[str, str | None]
    why: str = ""
    margin: float | None = None
    at_worst: float | None = None
    retention: Retention | None = None

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval lies on one side of 0."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


@dataclass(frozen=True)
class MeasureTable:
    """One endpoint: what it measures, and the number of every setting, by the name of the setting.

    Attributes:
        languages: Language -> setting -> number; of a run with one target language, that of the endpoint.
        front: Of the gain over the targets and the change in English, the untouched backbone at (0, 0) included. None where
            English is not asked, or nothing tells which way is better.
    """

    profile: str
    metric: Metric
    source: str
    targets: Mapping[str, SettingNumber]
    languages: Mapping[str, Mapping[str, SettingNumber]]
    english: Mapping[str, SettingNumber]
    front: Front | None

    @property
    def key(self) -> tuple[str, str, str, bool | None]:
        """What tells it from the other endpoints of the run."""
        return self.profile, self.metric.name, self.source, self.metric.higher_is_better

    @property
    def margin(self) -> float | None:
        """Loss in English that counts as none."""
        return next((number.margin for number in self.english.values() if number.margin is not None), None)

    def best_first(self, settings: Sequence[Setting]) -> list[Setting]:
        """Settings by their mean on the endpoint, the best first; those without one last, in their order."""
        sign = 1 if self.metric.higher_is_better is False else -1

        def place(setting: Setting) -> tuple[bool, float]:
            number = self.targets.get(setting.name)
            return (True, 0.0) if number is None or number.delta is None else (False, sign * number.delta)

        return sorted(settings, key=place)


@dataclass(frozen=True)
class SweepTable:
    """The settings of a run and their numbers.

    Attributes:
        sweeps: One for each method, also where it has a single setting.
        measures: In the order of the run's averages.
    """

    sweeps: tuple[MethodSweep, ...]
    measures: tuple[MeasureTable, ...]

    @property
    def settings(self) -> tuple[Setting, ...]:
        return tuple(setting for sweep in self.sweeps for setting in sweep.settings)

    @property
    def varies(self) -> bool:
        """Whether a method of the run has several settings."""
        return any(sweep.varies for sweep in self.sweeps)

    @property
    def seeded(self) -> bool:
        """Whether a setting has several seeds."""
        return any(len(setting.variants) > 1 for setting in self.settings)


def sweep_table_of(folder: RunFolder, results: Results) -> SweepTable:
    """The settings of the run in a folder."""
    return sweep_table(results, fitted_variants(folder))


def sweep_table(results: Results, variants: Sequence[FittedVariant]) -> SweepTable:
    """The settings of a run with the numbers of its results.

    Args:
        variants: Its fitted variants, and those that could not be fitted.
    """
    sweeps = tuple(method_sweeps(variants))
    settings = [setting for sweep in sweeps for setting in sweep.settings]
    found: dict[tuple[object, ...], _Gathered] = {}
    for average in results.averages:
        if average.role != "exploratory":
            found.setdefault(_key(average), _Gathered(metric_of(average))).add(average)
    groups: dict[_Place, list[SeedGroup]] = {}
    for group in results.seed_groups:
        groups.setdefault((_key(group), group.role, group.variants), []).append(group)
    measures = []
    for key, own in found.items():
        number = _Numbers(settings, key, groups, margin_of(own.metric, results.margins))
        targets = number.of("endpoint", "", own.targets)
        languages = {code: number.of("language", code, averages) for code, averages in own.languages.items()}
        english = number.of("english", "", own.english)
        profile, source = next((a.profile, a.source) for a in own.first)
        measures.append(
            MeasureTable(profile, own.metric, source, targets, languages, english, _front(own.metric, targets, english))
        )
    return SweepTable(sweeps, tuple(measures))


_Place = tuple[tuple[object, ...], str, tuple[str, ...]]
"""Endpoint, role and variants of a seed group."""


def _key(one: Average | SeedGroup) -> tuple[object, ...]:
    return one.profile, one.metric, one.source, one.higher_is_better


@dataclass
class _Gathered:
    """Averages of one endpoint, by variant."""

    metric: Metric
    targets: dict[str, Average] = field(default_factory=dict)
    languages: dict[str, dict[str, Average]] = field(default_factory=dict)
    english: dict[str, Average] = field(default_factory=dict)
    first: list[Average] = field(default_factory=list)

    def add(self, average: Average) -> None:
        if not self.first:
            self.first.append(average)
        if average.role == "english":
            self.english[average.variant] = average
            return
        if average.role == "endpoint":
            self.targets[average.variant] = average
        if average.language is not None:
            self.languages.setdefault(average.language, {})[average.variant] = average


@dataclass(frozen=True)
class _Numbers:
    """Makes the numbers of every setting on one endpoint."""

    settings: Sequence[Setting]
    key: tuple[object, ...]
    groups: Mapping[_Place, Sequence[SeedGroup]]
    margin: float | None

    def of(self, role: str, language: str, averages: Mapping[str, Average]) -> dict[str, SettingNumber]:
        """Setting -> number; a setting without one is there, and says why."""
        if not any(average.delta is not None for average in averages.values()):
            return {}
        found = {}
        for setting in self.settings:
            number = self._number(setting, role, language, averages)
            if role == "english":
                more = next((a.higher_is_better for a in averages.values()), None)
                at_worst, kept = retention(number.low, number.high, more, self.margin)
                number = replace(number, margin=self.margin, at_worst=at_worst, retention=kept)
            found[setting.name] = number
        return found

    def _number(self, setting: Setting, role: str, language: str, averages: Mapping[str, Average]) -> SettingNumber:
        own = {name: averages.get(name) for name in setting.variants}
        seeds = {name: None if average is None else average.delta for name, average in own.items()}
        verdicts: dict[str, str | None] = {name: None if average is None else average.verdict for name, average in own.items()}
        known = [delta for delta in seeds.values() if delta is not None]
        if not known:
            why = "could not be fitted" if not setting.variants and setting.failed else "no score"
            return SettingNumber(None, None, None, "", seeds, verdicts, why)
        if len(setting.variants) == 1:
            average = own[setting.variants[0]]
            low, high = (None, None) if average is None else (average.delta_low, average.delta_high)
            covers = "" if low is None else ITEMS
            return SettingNumber(known[0], low, high, covers, seeds, verdicts, "" if covers else "no interval")
        group = self._group(setting, role, language)
        if group is None or group.delta is None:
            return SettingNumber(sum(known) / len(known), None, None, "", seeds, verdicts, "no interval of seeds and items")
        covers = "" if group.delta_low is None else SEEDS_AND_ITEMS
        return SettingNumber(group.delta, group.delta_low, group.delta_high, covers, seeds, verdicts, group.why)

    def _group(self, setting: Setting, role: str, language: str) -> SeedGroup | None:
        """The group over these seeds; an endpoint of one language is that language's too."""
        found = self.groups.get((self.key, role, setting.variants), [])
        if role == "language":
            # An endpoint of one language is that language's too.
            found = [*found, *self.groups.get((self.key, "endpoint", setting.variants), [])]
            found = [group for group in found if group.language == language]
        return found[0] if found else None


def _front(metric: Metric, targets: Mapping[str, SettingNumber], english: Mapping[str, SettingNumber]) -> Front | None:
    sign: Callable[[float], float] = (lambda value: -value) if metric.higher_is_better is False else (lambda value: value)
    points = {
        name: (sign(gain), sign(change))
        for name, number in targets.items()
        if name in english and (gain := number.delta) is not None and (change := english[name].delta) is not None
    }
    if not points or metric.higher_is_better is None:
        return None
    return pareto_front({BASE: (0.0, 0.0), **points})

"""What a run's answer has a line for: every variant, or of many the best settings, with the seeds of a setting as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from lensbench.numbers.average import Average
from lensbench.numbers.sweep_settings import Setting
from lensbench.numbers.sweep_table import MeasureTable, SettingNumber, SweepTable
from lensbench.reporting.answer.measure import Measure
from lensbench.spec import BASE

__all__ = ["MOST_VARIANTS", "Rows", "rows_of"]

MOST_VARIANTS = 8
"""Up to so many variants have a line each."""
_SHOWN = 6
"""Settings that are shown of a run with more variants; each method's best is always among them, up to `MOST_VARIANTS`."""


@dataclass(frozen=True)
class Rows:
    """The lines of an answer.

    Attributes:
        names: A variant each, or the name of a setting with several seeds.
        measures: The run's measures with a number for each line, under its name.
        settings: Line -> its setting, where the answer is folded to settings.
        total: Settings of the run, where it is folded; else the number of variants.
        by: What the lines are sorted by; "" where they are in the order of the run.
    """

    names: tuple[str, ...]
    measures: tuple[Measure, ...]
    settings: Mapping[str, Setting]
    total: int
    by: str = ""

    @property
    def more(self) -> int:
        """Settings without a line."""
        return self.total - len(self.names)

    @property
    def folded(self) -> bool:
        return bool(self.settings)

    @property
    def left_out(self) -> str:
        """What is not shown, without where to find it; "" where everything is."""
        if not self.more:
            return ""
        best = (
            f"the best {len(self.names)} of {self.total} settings by {self.by}"
            if self.by
            else f"{len(self.names)} of {self.total} settings"
        )
        return f"Shown: {best}, on the items that chose them, so they tend to look better than they are. {self.more} more"


def rows_of(measures: Sequence[Measure], table: SweepTable, variants: Sequence[str], *, everything: bool = False) -> Rows:
    """The lines of a run's answer. Variants that are not settings of a method, such as checkpoints, have a line each.

    Args:
        variants: Enhanced variants, in the order of the run.
        everything: A line for every variant, however many there are.
    """
    several = table.varies or table.seeded
    if everything or not several or len(variants) <= MOST_VARIANTS:
        return Rows(tuple(variants), tuple(measures), {}, len(variants))
    known = {name for setting in table.settings for name in setting.variants}
    alone = [Setting(name, name, {}, (name,), (None,), {}) for name in variants if name not in known]
    settings = [*(setting for setting in table.settings if setting.variants), *alone]
    first = next((own for measure in measures if (own := _own(measure, table)) is not None and own.targets), None)
    ranked = settings if first is None else first.best_first(settings)
    # The first of each method is its best.
    leading = list({setting.method: setting for setting in reversed(ranked)}.values())
    wanted = [setting.name for setting in (*[one for one in ranked if one in leading], *ranked)]
    chosen = set(list(dict.fromkeys(wanted))[: max(_SHOWN, min(len(leading), MOST_VARIANTS))])
    shown = [setting for setting in ranked if setting.name in chosen]
    by = next((measure.short for measure in measures if first is not None and _own(measure, table) is first), "")
    return Rows(
        tuple(setting.name for setting in shown),
        tuple(_folded(measure, _own(measure, table), shown) for measure in measures),
        {setting.name: setting for setting in shown},
        len(settings),
        by,
    )


def _own(measure: Measure, table: SweepTable) -> MeasureTable | None:
    averages = [*measure.targets.values(), *measure.english.values()]
    keys = {(a.profile, a.metric, a.source, a.higher_is_better) for a in averages}
    return next((own for own in table.measures if own.key in keys), None)


def _folded(measure: Measure, own: MeasureTable | None, settings: Sequence[Setting]) -> Measure:
    if own is None:
        return measure
    return replace(
        measure,
        targets=_averages(measure.targets, own.targets, settings),
        languages={code: _averages(found, own.languages.get(code, {}), settings) for code, found in measure.languages.items()},
        english=_averages(measure.english, own.english, settings),
    )


def _averages(
    averages: Mapping[str, Average], numbers: Mapping[str, SettingNumber], settings: Sequence[Setting]
) -> dict[str, Average]:
    """Setting -> its number in the form of an average, so that views show it as they show a variant."""
    found = {BASE: averages[BASE]} if BASE in averages else {}
    for setting in settings:
        own = [averages[name] for name in setting.variants if name in averages]
        if not own:
            continue
        number = numbers.get(setting.name)
        found[setting.name] = own[0] if len(setting.variants) == 1 or number is None else _mean(setting, own, number)
    return found


def _mean(setting: Setting, own: Sequence[Average], number: SettingNumber) -> Average:
    values = [average.value for average in own if average.value is not None]
    verdicts = set(number.verdicts.values())
    return replace(
        own[0],
        variant=setting.name,
        value=sum(values) / len(values) if values else None,
        low=None,
        high=None,
        delta=number.delta,
        delta_low=number.low,
        delta_high=number.high,
        p_value=None,
        p_holm=None,
        # Tests are of single variants: a setting has a verdict where all of its seeds have it.
        verdict=verdicts.pop() if len(verdicts) == 1 else None,  # type: ignore[arg-type]
        leads=(),
        differing=None,
        at_worst=number.at_worst,
        retention=number.retention,
    )

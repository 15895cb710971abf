"""The settings of a run as tables: the difference on each endpoint with its interval, English, and the Pareto front."""

from __future__ import annotations

from collections.abc import Sequence

from lensbench.metrics import Unit
from lensbench.numbers.sweep_settings import MethodSweep, Setting, shown_value
from lensbench.numbers.sweep_table import MeasureTable, SettingNumber, SweepTable
from lensbench.reporting.answer.measure import Measure
from lensbench.spec import BASE
from lensbench.textblocks import TextTable

__all__ = ["KEPT", "NOT_FITTED", "difference", "interval", "of_measure", "seeds_text", "setting_text", "settings_tables"]

KEPT = {"shown": "kept", "not shown": "not shown", "worse": "worse"}
NOT_FITTED = "could not be fitted"


def settings_tables(table: SweepTable, measures: Sequence[Measure], most: int | None = None) -> list[TextTable]:
    """A table for each method with several settings, the best on the first endpoint first.

    Args:
        measures: The run's, for their names.
        most: Rows of a table at most; its title says how many there are. None: all.
    """
    shown = [(measure, own) for measure in measures if (own := of_measure(measure, table)) is not None]
    if not shown:
        return []
    return [_table(sweep, shown, most) for sweep in table.sweeps if sweep.varies]


def of_measure(measure: Measure, table: SweepTable) -> MeasureTable | None:
    """The settings' numbers of a measure."""
    averages = [*measure.targets.values(), *measure.english.values()]
    keys = {(a.profile, a.metric, a.source, a.higher_is_better) for a in averages}
    return next((own for own in table.measures if own.key in keys), None)


def _table(sweep: MethodSweep, shown: Sequence[tuple[Measure, MeasureTable]], most: int | None) -> TextTable:
    first = next((own for _, own in shown if own.targets), None)
    settings = list(sweep.settings) if first is None else first.best_first(sweep.settings)
    listed = settings[:most]
    header = ["setting", "seeds"]
    groups: list[tuple[str, int]] = [("", 1)]
    for measure, own in shown:
        if own.targets:
            groups.append((f"{measure.short}: {measure.of_targets}", 2))
            header += ["diff", "95%"]
        if own.english:
            groups.append((f"English: {measure.short}", 3))
            header += ["diff", "at worst", "kept"]
        if own.front is not None:
            groups.append(("", 1))
            header.append("front")
    rows = [_row(setting, shown) for setting in listed]
    by = next((f", sorted by {measure.short}" for measure, own in shown if own.targets), "")
    count = f"{len(settings)} settings" if len(listed) == len(settings) else f"{len(listed)} of {len(settings)} settings"
    title = f"{sweep.method}: {count}, difference to {BASE}{by}"
    return TextTable(header, rows, title, right=frozenset({"seeds", "diff", "at worst"}), keys=1, groups=tuple(groups))


def _row(setting: Setting, shown: Sequence[tuple[Measure, MeasureTable]]) -> list[str]:
    row = [setting_text(setting), seeds_text(setting)]
    for measure, own in shown:
        unit = measure.metric.unit
        if own.targets:
            number = own.targets[setting.name]
            row += [difference(number, unit), interval(number, unit)]
        if own.english:
            english = own.english[setting.name]
            worst = "" if english.at_worst is None else unit.text(english.at_worst, sign=True)
            row += [difference(english, unit), worst, KEPT.get(english.retention or "", "")]
        if own.front is not None:
            row.append("yes" if setting.name in own.front.members else "")
    return row


def setting_text(setting: Setting) -> str:
    """`start_layer=28, push_strength=0.5`; the name where the settings are not recorded."""
    return ", ".join(f"{name}={shown_value(value)}" for name, value in setting.values.items()) or setting.name


def seeds_text(setting: Setting) -> str:
    """`3`, `2 of 3`: seeds that were fitted."""
    count = len(setting.variants)
    return f"{count} of {count + len(setting.failed)}" if setting.failed else str(count)


def difference(number: SettingNumber, unit: Unit) -> str:
    """The mean difference, or why there is none."""
    return number.why if number.delta is None else unit.text(number.delta, sign=True)


def interval(number: SettingNumber, unit: Unit) -> str:
    """`[+4.9, +7.1]`; "" where there is no number."""
    if number.delta is None:
        return ""
    if number.low is None or number.high is None:
        return "no interval"
    return f"[{unit.text(number.low, sign=True)}, {unit.text(number.high, sign=True)}]"

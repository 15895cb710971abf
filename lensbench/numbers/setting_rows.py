"""The settings of a run with their numbers as flat rows, for frames and files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lensbench.jsonio import JsonObject
from lensbench.languages import CENTRAL
from lensbench.numbers.sweep_settings import MethodSweep, Setting, shown_value
from lensbench.numbers.sweep_table import MeasureTable, SettingNumber, SweepTable

__all__ = ["SETTING_FIELDS", "setting_rows"]

SETTING_FIELDS = (
    *("method", "setting", "variants", "failed", "role", "language", "profile", "metric", "unit", "source"),
    *("seeds", "measured", "delta", "delta_low", "delta_high", "covers", "least", "most", "better", "worse"),
    *("margin", "at_worst", "retention", "front", "dominated_by", "why"),
)
"""Columns of every run; the settings that vary have a column each."""


def setting_rows(table: SweepTable) -> list[JsonObject]:
    """A row for each setting and average. None of a run whose methods have one setting and one seed each.

    A setting that varies has a column `METHOD.KEY`: numbers where all values are numbers, else text as YAML writes it.
    """
    if not (table.varies or table.seeded):
        return []
    return [row for sweep in table.sweeps for setting in sweep.settings for row in _of_setting(table, sweep, setting)]


def _of_setting(table: SweepTable, sweep: MethodSweep, setting: Setting) -> Iterator[JsonObject]:
    head: JsonObject = {"method": sweep.method, "setting": setting.name}
    for own in table.sweeps:
        for switch in own.switches:
            known = own is sweep and bool(setting.values)
            value: Any = setting.values[switch.name] if known else None
            if known and not switch.numeric:
                value = shown_value(value)
            head[f"{own.method}.{switch.name}"] = value
    head |= {"variants": " ".join(setting.variants), "failed": " ".join(setting.failed)}
    for measure in table.measures:
        places: list[tuple[str, str | None, Mapping[str, SettingNumber]]] = [("endpoint", None, measure.targets)]
        places += [("language", code, numbers) for code, numbers in measure.languages.items()]
        places.append(("english", CENTRAL, measure.english))
        for role, language, numbers in places:
            if setting.name in numbers:
                yield {**head, "role": role, "language": language, **_number(measure, setting, role, numbers[setting.name])}


def _number(measure: MeasureTable, setting: Setting, role: str, number: SettingNumber) -> JsonObject:
    known = [delta for delta in number.seeds.values() if delta is not None]
    verdicts = list(number.verdicts.values())
    front = measure.front if role == "endpoint" else None
    placed = front is not None and (setting.name in front.members or setting.name in front.dominated)
    return {
        "profile": measure.profile,
        "metric": measure.metric.name,
        "unit": measure.metric.unit.name,
        "source": measure.source,
        "seeds": len(setting.variants),
        "measured": len(known),
        "delta": number.delta,
        "delta_low": number.low,
        "delta_high": number.high,
        "covers": number.covers,
        "least": min(known, default=None),
        "most": max(known, default=None),
        "better": verdicts.count("better"),
        "worse": verdicts.count("worse"),
        "margin": number.margin,
        "at_worst": number.at_worst,
        "retention": number.retention,
        "front": setting.name in front.members if front is not None and placed else None,
        "dominated_by": " ".join(front.dominated.get(setting.name, ())) if front is not None else "",
        "why": number.why,
    }

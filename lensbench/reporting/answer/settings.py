"""What is said of settings with several seeds, and of many variants at once, in few sentences."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from lensbench.metrics import Unit
from lensbench.numbers.run_results import Results
from lensbench.numbers.sweep_settings import Setting
from lensbench.numbers.sweep_table import SettingNumber, SweepTable
from lensbench.reporting.answer.measure import Measure
from lensbench.reporting.answer.statement import Statement, Tone
from lensbench.reporting.text.cost import duration

__all__ = ["costs_together", "seeds_together", "setting_helped"]

_WORDS = {"better": "better", "worse": "worse", "differs": "different"}


def setting_helped(setting: Setting, measures: Sequence[Measure], table: SweepTable) -> Statement:
    """`lens[rank=2] (3 seeds): accuracy +10.2 points [+4.9, +15.6], better with 3 of 3 seeds; ...`"""
    parts, tones, cells = [], [], {}
    for measure in measures:
        own = next((one for one in table.measures if one.key == _key(measure)), None)
        number = None if own is None else own.targets.get(setting.name)
        if not measure.targets or number is None:
            continue
        if number.delta is None:
            parts.append(f"{measure.short}: {number.why}")
            continue
        tones.append(_tone(number))
        average = measure.targets.get(setting.name)
        cells.update(dict.fromkeys(average.cells if average is not None else ()))
        parts.append(f"{measure.short} {_difference(measure, number)}, {_outcomes(number)}")
    count = len(setting.variants)
    seeds = f"{count} seeds" + (f", {len(setting.failed)} more could not be fitted" if setting.failed else "")
    # A setting that gains here and loses there is neither.
    tone: Tone = "better" if "better" in tones and "worse" not in tones else "plain"
    tone = "worse" if "worse" in tones and "better" not in tones else tone
    return Statement(
        f"{seeds}: {'; '.join(parts) or 'nothing was measured in a target language'}.", setting.name, tone, tuple(cells)
    )


def _key(measure: Measure) -> tuple[str, str, str, bool | None] | None:
    averages = [*measure.targets.values(), *measure.english.values()]
    return next(((a.profile, a.metric, a.source, a.higher_is_better) for a in averages), None)


def _difference(measure: Measure, number: SettingNumber) -> str:
    assert number.delta is not None
    text = f"{measure.difference(number.delta)}{measure.metric.unit.difference}"
    if number.low is None or number.high is None:
        return f"{text} ({number.why})"
    return f"{text} [{measure.difference(number.low)}, {measure.difference(number.high)}]"


def _outcomes(number: SettingNumber) -> str:
    """`better with 2 of 3 seeds`."""
    of = len(number.verdicts)
    counts = {word: sum(verdict == name for verdict in number.verdicts.values()) for name, word in _WORDS.items()}
    said = [f"{word} with {count} of {of} seeds" for word, count in counts.items() if count]
    return " and ".join(said) or f"not distinguishable with any of {of} seeds"


def _tone(number: SettingNumber) -> str:
    verdicts = set(number.verdicts.values())
    return str(verdicts.pop()) if len(verdicts) == 1 else ""


def seeds_together(measures: Sequence[Measure], table: SweepTable) -> list[Statement]:
    """How many seeds the settings have, and how far these lie apart, in one sentence an endpoint."""
    several = [setting for setting in table.settings if len(setting.variants) > 1]
    counts = sorted({len(setting.variants) for setting in several})
    often = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    single = [setting for setting in table.settings if len(setting.variants) == 1]
    text = f"Training seeds: {often} for {'each of ' if not single else ''}{len(several)} settings"
    if single:
        text += f", one for {len(single)} others, whose intervals cover the choice of items only"
    found = [Statement(f"{text}. Intervals of settings with several seeds cover seeds and items.")]
    for measure in measures:
        own = next((one for one in table.measures if one.key == _key(measure)), None)
        ranges = []
        for setting in several:
            number = None if own is None else own.targets.get(setting.name)
            known = [] if number is None else [delta for delta in number.seeds.values() if delta is not None]
            if len(known) > 1:
                ranges.append(max(known) - min(known))
        if ranges:
            unit: Unit = measure.metric.unit
            found.append(
                Statement(
                    f"{measure.short}: seeds of one setting lie {unit.text(median(ranges))}{unit.difference} apart "
                    f"(median; {unit.text(min(ranges))} to {unit.text(max(ranges))})."
                )
            )
    return found


def costs_together(results: Results, fitted: Sequence[str]) -> list[Statement]:
    """What many fits took together, and one of them."""
    costs = [results.costs[name] for name in fitted if name in results.costs]
    times = [cost.wall_seconds for cost in costs if cost.wall_seconds is not None]
    unknown = len(fitted) - len(times)
    parts = []
    if times:
        spent = sum(cost.spent_seconds or 0.0 for cost in costs)
        one = f"{duration(min(times))} to {duration(max(times))} each" if len(times) > 1 else "one fit"
        alone = " if it were alone" if any(cost.cached_seconds for cost in costs) else ""
        parts.append(f"{len(times)} fits took {duration(spent)} together, {one}{alone} (median {duration(median(times))})")
    if unknown:
        parts.append(f"of {unknown} the time is not recorded")
    shares = sorted({cost.trainable_share for cost in costs if cost.trainable_share is not None})
    if shares:
        parts.append(f"{shares[0]:.2%}" + (f" to {shares[-1]:.2%}" if len(shares) > 1 else "") + " of the weights trained")
    peaks = [cost.peak_bytes for cost in costs if cost.peak_bytes]
    if peaks:
        parts.append(f"peak memory at most {max(peaks) / 2**30:.1f} GiB")
    return [Statement(f"{', '.join(parts)}.")] if parts else []

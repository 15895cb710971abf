"""Analysis of a judge's ratings: repeatability, agreement with other judges, effect of length, effect of the language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np

from lensbench.errors import UsageError
from lensbench.jsonio import JsonObject
from lensbench.metrics import fidelity_name, turn_part
from lensbench.records import AnswerRecord, IdentifiedRecord, RunFolder, UngradedRecord, VerdictRecord
from lensbench.records.counting import final_verdicts, last_identified
from lensbench.records.missing import MissingRecords, missing_records
from lensbench.spec import BASE
from lensbench.stats import (
    Interval,
    Intervals,
    bootstrap_means,
    clustered_slope,
    krippendorff_alpha,
    paired_bootstrap,
    within_unit_deviation,
)

__all__ = ["Agreement", "Calibration", "Controlled", "LengthSlope", "calibrate"]


@dataclass(frozen=True)
class Agreement:
    """Raters on the same answers: repetitions of one judge, or several judges."""

    raters: tuple[str, ...]
    answers: int
    """Number of answers rated at least twice."""
    alpha: float | None
    """Krippendorff's alpha, interval data."""
    deviation: float | None
    """Standard deviation of the ratings of one answer, in rating points."""
    means: tuple[float, ...]
    """Mean rating by each rater, over its own answers."""


@dataclass(frozen=True)
class LengthSlope:
    """Does the judge reward length?"""

    judge: str
    language: str
    answers: int
    slope: Interval | None
    """Rating points for each 100 further tokens of an answer; all variants together, resampled by question."""
    without_answer: int = 0
    """Ratings whose answer has no record with a length; they enter no slope."""


@dataclass(frozen=True)
class Controlled:
    """Does the judge reward a good answer in the wrong language?"""

    judge: str
    identifier: str
    task: str
    language: str
    variant: str
    faithful: Interval | None
    """Mean rating of the answers in the asked language."""
    n_faithful: int
    unfaithful: Interval | None
    n_unfaithful: int
    delta: Interval | None
    """Difference to `base` over the answers that are in the asked language in both: the score controlled for fidelity."""
    n_pairs: int


@dataclass(frozen=True)
class Calibration:
    """The whole analysis for one run."""

    agreement: tuple[Agreement, ...]
    length: tuple[LengthSlope, ...]
    controlled: tuple[Controlled, ...]
    unidentified: int = 0
    """Rated answers without an identified language, in a run that has an identifier; they enter neither mean of `controlled`."""
    missing: tuple[MissingRecords, ...] = ()
    """Places of the run that have fewer records than they should (`lensbench/records/missing.py`)."""

    def as_dict(self) -> JsonObject:
        return asdict(self)


class _Rated(NamedTuple):
    """One answer that a judge rated once."""

    answer: str
    item: str
    turn: int
    task: str
    language: str
    variant: str
    judge: str
    repeat: int
    rating: float

    @classmethod
    def of(cls, record: VerdictRecord | UngradedRecord) -> _Rated:
        assert record.rating is not None, "a record without a rating is not ok"
        place = (record.answer, record.item, record.turn, record.task, record.language, record.variant)
        return cls(*place, record.judge, record.repeat, record.rating)


def calibrate(folder: RunFolder) -> Calibration:
    """Analyse the ratings in the records of a run.

    Raises:
        UsageError: the run has no ratings.
    """
    rated = [_Rated.of(record) for record in final_verdicts(folder) if record.state == "ok"]
    if not rated:
        raise UsageError(f"{folder.path} has no ratings", "Grade its answers first: lensbench judge RUN with a ``judge``.")
    answers = {record.key: record for record in folder.records(AnswerRecord)}
    faithful = _faithful(folder)
    told = {answer for hits in faithful.values() for answer in hits}
    missing = missing_records(folder, folder.read_json("variants.json")) if folder.has("variants.json") else []
    return Calibration(
        _agreement(rated),
        _length(rated, answers),
        _controlled(rated, faithful),
        len({record.answer for record in rated} - told) if told else 0,
        tuple(missing),
    )


def _agreement(rated: Sequence[_Rated]) -> tuple[Agreement, ...]:
    by_rater: dict[tuple[str, int], dict[str, float]] = {}
    for record in rated:
        by_rater.setdefault((record.judge, record.repeat), {})[record.answer] = record.rating
    judges = list(dict.fromkeys(judge for judge, _ in by_rater))
    found = []
    for judge in judges:
        repeats = {f"{judge} repeat {repeat + 1}": ratings for (j, repeat), ratings in by_rater.items() if j == judge}
        if len(repeats) > 1:
            found.append(_agree(repeats))
    if len(judges) > 1:
        means: dict[str, dict[str, float]] = {}
        for judge in judges:
            by_answer: dict[str, list[float]] = {}
            for (j, _), ratings in by_rater.items():
                for answer, rating in ratings.items() if j == judge else ():
                    by_answer.setdefault(answer, []).append(rating)
            means[judge] = {answer: float(np.mean(ratings)) for answer, ratings in by_answer.items()}
        found.append(_agree(means))
    return tuple(found)


def _agree(raters: Mapping[str, Mapping[str, float]]) -> Agreement:
    units = list(dict.fromkeys(answer for ratings in raters.values() for answer in ratings))
    table = np.array([[ratings.get(unit, np.nan) for unit in units] for ratings in raters.values()])
    return Agreement(
        raters=tuple(raters),
        answers=int(((~np.isnan(table)).sum(0) >= 2).sum()),
        alpha=krippendorff_alpha(table),
        deviation=within_unit_deviation(table),
        means=tuple(float(mean) for mean in np.nanmean(table, axis=1)),
    )


def _length(rated: Sequence[_Rated], answers: Mapping[str, AnswerRecord]) -> tuple[LengthSlope, ...]:
    groups: dict[tuple[str, str], list[_Rated]] = {}
    for record in rated:
        groups.setdefault((record.judge, record.language), []).append(record)
    found = []
    for (judge, language), records in groups.items():
        known = [(record, _answer_tokens(answers.get(record.answer))) for record in records]
        there = [(record, tokens) for record, tokens in known if tokens is not None]
        tokens = np.array([tokens for _, tokens in there]) / 100
        ratings = np.array([record.rating for record, _ in there])
        items = np.array([record.item for record, _ in there])
        slope = clustered_slope(tokens, ratings, items) if there else None
        found.append(LengthSlope(judge, language, len(there), slope, len(records) - len(there)))
    return tuple(found)


def _answer_tokens(answer: AnswerRecord | None) -> float | None:
    """Tokens of the part that the judge reads: where there is reasoning, its share of the text by characters."""
    if answer is None or answer.tokens is None:
        return None
    parts = answer.parts
    whole = len(answer.text)
    return float(answer.tokens * (len(parts.answer) / whole if parts.found and whole else 1.0))


def _faithful(folder: RunFolder) -> dict[str, dict[str, bool]]:
    """Identifier -> key of an answer -> whether it is in the asked language (strict)."""
    found: dict[str, dict[str, bool]] = {}
    for record in last_identified(folder.records(IdentifiedRecord)).values():
        for turn in record.turns:
            hit = record.metrics.get(fidelity_name(turn_part(turn.turn)))
            if hit is not None:
                found.setdefault(record.identifier, {})[turn.answer] = bool(hit)
    return found


def _controlled(rated: Sequence[_Rated], faithful: Mapping[str, Mapping[str, bool]]) -> tuple[Controlled, ...]:
    found = []
    for identifier, hits in faithful.items():
        groups: dict[tuple[str, str, str, str], dict[tuple[str, int], list[tuple[float, bool]]]] = {}
        for record in rated:
            if record.answer in hits:
                place = groups.setdefault((record.judge, record.task, record.language, record.variant), {})
                place.setdefault((record.item, record.turn), []).append((record.rating, hits[record.answer]))
        values = {
            key: {at: (float(np.mean([r for r, _ in v])), v[0][1]) for at, v in rows.items()} for key, rows in groups.items()
        }
        for (judge, task, language, variant), rows in values.items():
            good = {at: rating for at, (rating, hit) in rows.items() if hit}
            bad = {at: rating for at, (rating, hit) in rows.items() if not hit}
            base = values.get((judge, task, language, BASE), {}) if variant != BASE else {}
            both = {at: (rating, base[at][0]) for at, rating in good.items() if at in base and base[at][1]}
            found.append(
                Controlled(
                    judge,
                    identifier,
                    task,
                    language,
                    variant,
                    _mean(good),
                    len(good),
                    _mean(bad),
                    len(bad),
                    _paired(both),
                    len(both),
                )
            )
    return tuple(found)


def _mean(values: Mapping[tuple[str, int], float]) -> Interval | None:
    if not values:
        return None
    return _only(bootstrap_means(np.array([list(values.values())]), np.array([item for item, _ in values])))


def _paired(both: Mapping[tuple[str, int], tuple[float, float]]) -> Interval | None:
    if not both:
        return None
    mine, theirs = (np.array(column) for column in zip(*both.values(), strict=True))
    return _only(paired_bootstrap(mine, theirs, np.array([item for item, _ in both])))


def _only(found: Intervals) -> Interval | None:
    """The one column; None where it has fewer than two questions."""
    return None if np.isnan(found.low[0]) else Interval(float(found.value[0]), float(found.low[0]), float(found.high[0]))

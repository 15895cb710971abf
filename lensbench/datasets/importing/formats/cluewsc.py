"""CLUEWSC: Chinese Winograd as single candidates with a yes or no each, turned into pairs as XWinograd has them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from lensbench.datasets.importing.checks import repeated_from
from lensbench.datasets.importing.model import Context, Format, Original, Skip, Split
from lensbench.datasets.importing.reading import checked, column, json_lines, label
from lensbench.datasets.rows import Row
from lensbench.errors import DataError
from lensbench.languages import get_language

__all__ = ["CLUEWSC"]

HUB_NOTE = "the hub's test split has 488 rows made from CLUEWSC; these were converted here and are a split of their own"
_RELEASE = {"test_public": 976, "train_few_all": 160}
"""Candidates of the release's files."""
LEFT_OUT = {
    "span": "candidates left out: the text at span2_index is not span2_text",
    "no right": "pronouns left out: no right candidate",
    "two right": "pronouns left out: more than one right candidate",
    "no wrong": "pronouns left out: no wrong candidate with another text",
    "blank": "pronouns left out: the text already has a '_'",
}


class _Pronoun(NamedTuple):
    text: str
    start: int
    written: str


class _Candidate(NamedTuple):
    start: int
    text: str
    right: bool


def _recognise(original: Original) -> str | Skip | None:
    target = original.first_object.get("target")
    named = isinstance(target, dict) and "span2_text" in target
    if named and "label" not in original.first_object:
        return Skip("CLUEWSC without labels")
    # The candidates of one pronoun are spread over the files of the release, so a folder is one group.
    return original.name.rpartition("/")[0] + "/" if named else None


def _convert(originals: Sequence[Original], context: Context) -> Iterator[Split]:
    counts: Counter[str] = Counter()
    pronouns: dict[_Pronoun, list[_Candidate]] = {}
    parts: list[int | None] = []
    seen = 0
    for original in _without_parts(originals, context):
        with original.problems.whole(original.name):
            records = list(json_lines(original))
            again = repeated_from([record for _, record in records])
            if again:
                raise DataError(
                    f"{original}: from row {again + 1} on it repeats its own beginning: the file has its content twice"
                )
            seen += len(records)
            parts.append(_RELEASE.get(original.path.stem))
            for number, record in records:
                with original.row(number):
                    pronoun, candidate = _read(record, f"{original}, line {number}")
                    if pronoun.start < 0 or not pronoun.written or not pronoun.text.startswith(pronoun.written, pronoun.start):
                        counts["span"] += 1
                    else:
                        pronouns.setdefault(pronoun, []).append(candidate)
    rows = []
    for pronoun, candidates in pronouns.items():
        row = _row(pronoun, candidates)
        if isinstance(row, str):
            counts[row] += 1
        else:
            rows.append(row)
    notes = [HUB_NOTE, f"{len(rows)} of {len(pronouns)} pronouns kept"]
    notes += [f"{counts[key]} {words}" for key, words in LEFT_OUT.items() if counts[key]]
    yield Split(
        "xwinograd",
        get_language("zh"),
        "cluewsc",
        rows,
        tuple(originals),
        "none stated by the release; for tests only",
        notes=tuple(notes),
        expected=None if None in parts else sum(part or 0 for part in parts),
        seen=seen,
    )


def _without_parts(originals: Sequence[Original], context: Context) -> Iterator[Original]:
    """The files but for those that another holds: `train_few_all.json` is `train_0.json` to `train_4.json` together."""
    names = {original.path.name for original in originals}
    for original in originals:
        part = re.fullmatch(r"(train|dev)_[0-9]+\.json", original.path.name)
        if part and f"{part[1]}_few_all.json" in names:
            context.note(f"{original.name}: left out, its candidates are in {part[1]}_few_all.json")
        else:
            yield original


def _read(record: Row, where: str) -> tuple[_Pronoun, _Candidate]:
    text = column(record, "text", str, where)
    target = column(record, "target", dict, where)
    index, written = column(target, "span2_index", int, where), column(target, "span2_text", str, where)
    candidate = _Candidate(
        column(target, "span1_index", int, where),
        column(target, "span1_text", str, where),
        label(column(record, "label", str, where), {"true": True, "false": False}, where, "label"),
    )
    # What a pair will be made of must be storable, whichever candidate is taken.
    checked({"sentence": text, "option1": candidate.text, "option2": candidate.text, "answer": "1"}, "xwinograd", where)
    return _Pronoun(text, index, written), candidate


def _row(pronoun: _Pronoun, candidates: list[_Candidate]) -> Row | str:
    """The pair of the right candidate and the wrong one that comes first in the text, or a key of LEFT_OUT."""
    right = [candidate for candidate in candidates if candidate.right]
    if len(right) != 1:
        return "two right" if right else "no right"
    wrong = sorted(candidate for candidate in candidates if not candidate.right and candidate.text != right[0].text)
    if not wrong:
        return "no wrong"
    if "_" in pronoun.text:
        return "blank"
    pair = sorted([right[0], wrong[0]])
    return {
        "sentence": pronoun.text[: pronoun.start] + "_" + pronoun.text[pronoun.start + len(pronoun.written) :],
        "option1": pair[0].text,
        "option2": pair[1].text,
        "answer": "1" if pair[0].right else "2",
    }


CLUEWSC = Format("cluewsc", _recognise, _convert)

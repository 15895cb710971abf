"""A source of rows made from texts that the caller has in Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lensbench.errors import UnavailableError, UsageError
from lensbench.jsonio import JsonObject

if TYPE_CHECKING:
    from lensbench.datasets.rows import RowsSpec
    from lensbench.datasets.sources import Rows
    from lensbench.languages import Language

__all__ = ["GivenData", "given_rows", "languages_of"]

_ARGUMENTS = {"aya": "`texts` or `answers`", "bactrian_x": "`parallel`"}
"""Data set that methods read -> the arguments that stand for it; `rows` stands for any."""

Parallel = Sequence[Mapping[str, str] | Sequence[str]]


class GivenData:
    """A source whose rows were given as Python data.

    Args:
        rows: Name of a data set -> language code -> its rows.
    """

    def __init__(self, rows: Mapping[str, Mapping[str, Sequence[Mapping[str, Any]]]]) -> None:
        self._rows = rows

    def describe(self) -> str:
        return "the data that was given"

    def has(self, spec: RowsSpec, language: Language, split: str) -> bool:
        return bool(self._rows.get(spec.rows, {}).get(language.code))

    def load(self, spec: RowsSpec, language: Language, split: str, revision: str | None = None) -> Rows:
        """
        Raises:
            UnavailableError: nothing was given in the language.
            DataError: a row does not hold what the data set's rows hold.
        """
        from lensbench.datasets.rows import check_rows, row_hash
        from lensbench.datasets.sources import Origin, Rows

        if not self.has(spec, language, split):
            raise UnavailableError(
                f"no rows of {spec.rows} were given in {language.name} ('{language.code}')",
                f"Give them as {_ARGUMENTS.get(spec.rows, '`rows`')}.",
            )
        rows = [dict(row) for row in self._rows[spec.rows][language.code]]
        check_rows(rows, spec, f"{spec.rows} in {language.name}, as given")
        return Rows(rows, Origin("given", self.describe(), None, row_hash(rows), len(rows), None))


def languages_of(
    texts: Mapping[str, Any] | None, answers: Mapping[str, Any] | None, parallel: Parallel | None, languages: Sequence[str] | None
) -> tuple[str, ...]:
    """Codes of the languages of given data, the central one first.

    Raises:
        UsageError: an unknown code, no language but the central one, or pairs whose languages cannot be told.
    """
    from lensbench.languages import CENTRAL, get_language

    codes = list(languages) if languages is not None else [*(texts or {}), *(answers or {})]
    if not codes and parallel:
        first = parallel[0]
        if not isinstance(first, Mapping):
            raise UsageError("parallel has texts without their languages", "Example: languages=['en', 'zh']")
        codes = list(first)
    found = dict.fromkeys([CENTRAL, *(get_language(code).code for code in codes)])
    if len(found) < 2:
        raise UsageError("no target language was given", "Give texts by language, such as texts={'en': [...], 'zh': [...]}.")
    return tuple(found)


def given_rows(
    languages: Sequence[str],
    texts: Mapping[str, Sequence[str]] | None,
    parallel: Parallel | None,
    answers: Mapping[str, Sequence[tuple[str, str]]] | None,
) -> dict[str, dict[str, list[JsonObject]]]:
    """Given texts in the shape of the data sets that methods read.

    Args:
        languages: Codes, the central language first; the order of texts in a pair.

    Raises:
        UsageError: texts that are no lists of text, or a pair with another number of texts than languages.
    """
    rows: dict[str, dict[str, list[JsonObject]]] = {"aya": {}, "bactrian_x": {}}
    for code, own in (texts or {}).items():
        if isinstance(own, str) or not all(isinstance(text, str) for text in own):
            raise UsageError(f"texts['{code}'] must be a list of texts", "Example: texts={'zh': ['...', '...']}")
        rows["aya"].setdefault(code, []).extend({"inputs": text, "targets": ""} for text in own)
    for code, pairs in (answers or {}).items():
        if any(isinstance(pair, str) or len(pair) != 2 for pair in pairs):
            raise UsageError(f"answers['{code}'] must hold pairs of question and answer")
        rows["aya"].setdefault(code, []).extend({"inputs": question, "targets": answer} for question, answer in pairs)
    for number, one in enumerate(parallel or ()):
        for code, text in _sides(one, languages, number).items():
            row = {"id": str(number), "instruction": text, "input": "", "output": ""}
            rows["bactrian_x"].setdefault(code, []).append(row)
    return rows


def _sides(one: Any, languages: Sequence[str], number: int) -> dict[str, str]:
    if isinstance(one, Mapping):
        return dict(one)
    if isinstance(one, str) or len(one) != len(languages) or not all(isinstance(text, str) for text in one):
        raise UsageError(
            f"parallel[{number}] must hold one text for each of {', '.join(languages)}, in this order",
            "A mapping of codes to texts also works.",
        )
    return dict(zip(languages, one, strict=True))

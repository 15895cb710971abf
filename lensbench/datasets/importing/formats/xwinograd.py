"""The tab-separated release of XWinograd: `dataset.tsv`, all languages in one file, seven columns, no header."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from lensbench.datasets.importing.model import Context, Format, Original, Split
from lensbench.datasets.importing.reading import checked, checked_width, lines
from lensbench.datasets.rows import Row
from lensbench.errors import DataError
from lensbench.jsonio import parse_json
from lensbench.languages import Language, language_of

__all__ = ["XWINOGRAD", "token_spans"]

BLANK = "_"
_RELEASE = {"en": 2325, "fr": 83, "jp": 959, "pt": 263, "ru": 315, "zh": 16}
"""Rows of the release in each language."""
_COLUMNS = ("language", "subset", "original", "sentence", "tokens", "pronoun", "candidates")
_QUOTES = {"``": '"', "''": '"'}
"""The Penn Treebank tokeniser writes straight double quotes this way."""

_MARKS = '.,;:!?…"“”„«»()。、，；：！？「」『』（）'
"""Punctuation that a token may have at its ends and that no pronoun has."""

LEFT_OUT = {
    "pronoun": "the pronoun could not be found in the sentence by its token span",
    "candidates": "not exactly two candidates of which one is right",
    "blank": f"the sentence already has a '{BLANK}'",
}


def token_spans(sentence: str, tokens: Sequence[str]) -> list[tuple[int, int]] | None:
    """Where each token stands in the sentence, aligned from left to right.

    Args:
        tokens: In order; together they give the sentence but for white space and the tokeniser's quotes.

    Returns:
        (start, end) character offsets per token, or None when the two do not match.
    """
    spans = []
    position = 0
    for token in tokens:
        # In unspaced scripts a token may begin with the white space that is skipped elsewhere.
        while position < len(sentence) and sentence[position].isspace() and not sentence.startswith(token, position):
            position += 1
        written = token if sentence.startswith(token, position) else _QUOTES.get(token, token)
        if not token or not sentence.startswith(written, position):
            return None
        spans.append((position, position + len(written)))
        position += len(written)
    return spans if not sentence[position:].strip() else None


def _row(sentence: str, tokens: list[str], pronoun: Any, candidates: Any) -> Row | str:
    """The hub's row, or the reason (a key of LEFT_OUT) why there is none.

    The blank comes from the span and not from a search: the pronoun's letters often stand elsewhere too.
    """
    text, (start, end), marked = pronoun
    if len(candidates) != 2 or [bool(candidate[3]) for candidate in candidates].count(True) != 1:
        return "candidates"
    if BLANK in sentence:
        return "blank"
    spans = token_spans(sentence, tokens)
    if spans is None or not 0 <= start < end <= len(spans) or tokens[start:end] != marked:
        return "pronoun"
    first, last = spans[start][0], spans[end - 1][1]
    if sentence[first:last] != text:
        return "pronoun"
    # The Russian tokens keep the mark behind a word ("их."): it belongs to the sentence, and may be all that follows the blank.
    word = text.strip(_MARKS + " \u3000")
    if word:
        first, last = first + text.index(word), first + text.index(word) + len(word)
    return {
        "sentence": sentence[:first] + BLANK + sentence[last:],
        "option1": candidates[0][0],
        "option2": candidates[1][0],
        "answer": "1" if candidates[0][3] else "2",
    }


def _recognise(original: Original) -> str | None:
    cells = original.first_line.split("\t")
    return original.name if len(cells) == len(_COLUMNS) and cells[4].startswith("[") else None


def _convert(originals: Sequence[Original], context: Context) -> Iterator[Split]:
    for original in originals:
        rows: dict[str, list[Row]] = {}
        found: dict[str, Counter[str]] = {}
        languages: dict[str, Language] = {}
        unknown: Counter[str] = Counter()
        seen: Counter[str] = Counter()
        for number, line in lines(original):
            with original.row(number):
                where = f"{original}, line {number}"
                cells = checked_width(line.split("\t"), len(_COLUMNS), where)
                code, sentence = cells[0], cells[3]
                language = language_of("xwinograd", code)
                if language is None:
                    unknown[code] += 1
                    continue
                languages[code] = language
                seen[code] += 1
                counts = found.setdefault(code, Counter())
                tokens, pronoun, candidates = (_json(cells[index], _COLUMNS[index], where) for index in (4, 5, 6))
                row = _row(sentence, tokens, pronoun, candidates)
                if isinstance(row, str):
                    counts[row] += 1
                    continue
                rows.setdefault(code, []).append(checked(row, "xwinograd", where))
                counts["marks"] += pronoun[0] != pronoun[0].strip(_MARKS)
                counts["again"] += sentence.lower().count(pronoun[0].lower()) > 1
                counts["因为"] += "因_" in row["sentence"] and pronoun[0] == "为"
                counts["彼は彼"] += pronoun[0] == "彼は彼"
        for code in sorted(languages):
            notes = _notes(found[code])
            yield Split(
                "xwinograd",
                languages[code],
                "test",
                rows.get(code, []),
                (original,),
                "Apache-2.0",
                notes=notes,
                expected=_RELEASE.get(code),
                seen=seen[code],
                rank=original.path.name != "dataset.tsv",
            )
        if unknown:
            context.note(f"{original.name}: {_listed(unknown)} left out, not in the language table")


def _notes(counts: Counter[str]) -> tuple[str, ...]:
    notes = [f"{counts[key]} rows left out: {reason}" for key, reason in LEFT_OUT.items() if counts[key]]
    if counts["again"]:
        notes.append(f"{counts['again']} rows have the pronoun's text more than once; the blank is at its token span")
    if counts["marks"]:
        notes.append(f"{counts['marks']} rows mark punctuation with the pronoun; it stays in the sentence, beside the blank")
    if counts["因为"]:
        notes.append(f"{counts['因为']} rows mark the second half of 因为 as the pronoun; kept as they are")
    if counts["彼は彼"]:
        notes.append(f"{counts['彼は彼']} rows mark 彼は彼 as the pronoun; kept as they are")
    return tuple(notes)


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{counts[code]} rows in '{code}'" for code in sorted(counts))


def _json(cell: str, column: str, where: str) -> Any:
    """One JSON cell, of the shape its column has.

    Raises:
        DataError: not JSON, or of another shape.
    """
    value = parse_json(cell, f"{where}, column '{column}'")
    if column == "tokens":
        fits = isinstance(value, list) and all(isinstance(token, str) for token in value)
    elif column == "pronoun":
        fits = isinstance(value, list) and len(value) == 3 and _is_mention(value)
    else:
        fits = isinstance(value, list) and all(isinstance(one, list) and _is_candidate(one) for one in value)
    if not fits:
        raise DataError(f"{where}, column '{column}': not of the release's shape, found {cell[:80]!r}")
    return value


def _is_candidate(value: list[Any]) -> bool:
    return len(value) == 4 and _is_mention(value[:3]) and isinstance(value[3], bool)


def _is_mention(value: list[Any]) -> bool:
    text, span, tokens = value
    whole = isinstance(span, list) and len(span) == 2 and all(type(edge) is int for edge in span)
    return isinstance(text, str) and bool(text.strip()) and whole and isinstance(tokens, list)


XWINOGRAD = Format("xwinograd", _recognise, _convert)

"""Numbers in brackets: which of them are ratings that a judge gives, and which are quotations, examples, indices or code.

Every pattern is bounded or possessive, so that a hostile text takes time in proportion to its length.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

from lensbench.grading.fidelity.code import mark_fenced

__all__ = ["BARE", "DOUBLE", "RESULT", "own_doubles", "own_singles"]

# ASCII digits only: `\d` would also take ８.
DOUBLE = re.compile(r"\[\[([0-9]++(?:\.[0-9]*+)?)\]\]")
BARE = re.compile(r"\[([0-9]++(?:\.[0-9]*+)?)\]")
RESULT = re.compile(r"\[RESULT\]\s{0,8}[\[(]?\s?([0-9]++(?:\.[0-9]++)?+)(?![0-9.]*[-/–][0-9])", re.IGNORECASE)
_SINGLE = re.compile(r"(?<!\[)\[([0-9]++(?:\.[0-9]*+)?)\](?!\])")

_LABEL = (
    r"(?:rating|score|grade|verdict|rated|评分|評分|得分|评价|评级|分数|分數|評価|評点|点数|スコア|평점|점수|평가|등급|التقييم|تقييم|الدرجة"
    r"|রেটিং|স্কোর|মূল্যায়ন|ukadiriaji|alama|bewertung|note|punktzahl|puntuaci[oó]n|calificaci[oó]n|valoraci[oó]n|nota"
    r"|punteggio|valutazione|avalia[cç][aã]o|оценка|рейтинг|балл)"
)
_JOIN = r"(?:\bis\b|\bof\b|\bas\b|\bat\b|\bist\b|\bes\b|\best\b|[:：=＝]|是|为|為|は|が|은|는|هو)"
_MARKUP = r"[\s*_#\"'`“”‘’「」()（）|-]"
_LABELLED = re.compile(rf"{_LABEL}{_MARKUP}{{0,8}}{_JOIN}{_MARKUP}{{0,8}}\Z", re.IGNORECASE)
_AFTER_LABEL = re.compile(rf"{_LABEL}{_MARKUP}{{0,4}}(?:{_JOIN}{_MARKUP}{{0,8}})?\Z", re.IGNORECASE)
_GIVEN = re.compile(
    r"\b(?:give|gives|rate|award|assign|assess|deserves?|earns?|gets?|receives?|merits?)\b[^\n\[\]]{0,50}\b(?:a|an|at|as)\s{1,3}\Z",
    re.IGNORECASE,
)
_CODE_BEFORE = re.compile(r"(?:[A-Za-z0-9_\])]|[A-Za-z_]\(|[=\[{]\s?|\breturn\s)\Z")
_EXAMPLE = re.compile(
    r"(?:for example|for instance|\be\.g\.|such as|\bexample\b|例如|比如|例えば|たとえば|예를 들어|مثلا|مثال|যেমন|উদাহরণ|kwa mfano"
    r"|zum beispiel|z\.\s?B\.|par exemple|por ejemplo|ad esempio|например)[^\n.!?。！？]{0,60}\Z",
    re.IGNORECASE,
)
_FORMAT = re.compile(
    r"\b(?:in|of|using|follow\w*)\s(?:the|this|that|exactly)\s(?:\w{1,12}\s){0,2}form(?:at)?\b[^\n.!?]{0,60}\Z", re.IGNORECASE
)
_REPORTED = re.compile(r"\b(?:answer|assistant|response|reply|text|says|states|claims|ends|writes|must|should)\b", re.IGNORECASE)
_RANGE = re.compile(r"\s{0,3}(?:to|through|and|up to|-|–|—|~|～|至|到|から|bis|à|a|до)\s{0,3}", re.IGNORECASE)
_PER = r"(?:[/／]|\bout\sof\b|\bof\b|\bvon\b|\bsur\b|\bde\b|\bsu\b|\bиз\b|من)"
_WHOLE = re.compile(
    rf"(?:[0-9\]]{_MARKUP}{{0,4}}{_PER}|\bout\sof\b|(?:满分|滿分|満点|最高分?|만점|\bmaximum)\s?(?:是|为|為|は|\bis\b|\bof\b)?)"
    rf"(?:\s(?:a|the)\s)?(?:(?:possible|maximum|total)\s?(?:of)?)?{_MARKUP}{{0,4}}\Z",
    re.IGNORECASE,
)
"""Text before the highest number of a scale: `8 out of [[10]]`."""
_SCALE = re.compile(
    rf"{_MARKUP}{{0,4}}(?:[/／]|out\sof\b|von\b|sur\b|из\b)\s{{0,3}}\[{{0,2}}([0-9]{{1,4}})(?![0-9])", re.IGNORECASE
)
"""Text after a rating that names its scale: `[[8]]/10`."""
_INNER = r"(?:[^{}\n]|\n(?!\s*\n)){{0,300}}+"
_QUOTES = re.compile(
    "|".join(
        opening + _INNER.format(closing) + f"[{closing}]"
        for opening, closing in (
            ('"', '"'),
            ("“", "”"),
            ("„", "“”"),
            ("«", "»"),
            ("「", "」"),
            ("『", "』"),
            ("‘", "’"),
            ("`", "`"),
        )
    )
    + r"|(?<![^\W_])'(?:[^'\n]){0,300}+'(?![^\W_])"
)
_TRIM = " \t*_#>-.。!！,，:：()（）|"
_NEAR = 48
"""Characters before a bracket that are looked at."""
_QUOTED_CONTEXT = 10
"""So many characters before a bracket, found before the same bracket in the answer, are no coincidence."""


@dataclass(frozen=True)
class _Line:
    text: str
    fenced: bool
    alone: bool
    """Whether it is in a fenced block without other lines."""


def own_doubles(text: str, low: float, high: float, answers: Sequence[str]) -> list[float]:
    """The ratings `[[n]]` that the judge itself gives; those on a quoted line of their own only where there are no others."""
    found = list(DOUBLE.finditer(text))
    if not found:
        return []
    lines, starts = _lines(text)
    quotes = _quoted(text)
    ranges = _ranges(text, found, low, high)
    own: list[float] = []
    weak: list[float] = []
    at_line = at_quote = 0
    for number, match in enumerate(found):
        while at_line + 1 < len(starts) and starts[at_line + 1] <= match.start():
            at_line += 1
        while at_quote < len(quotes) and quotes[at_quote][1] <= match.start():
            at_quote += 1
        before = text[max(starts[at_line], match.start() - _NEAR) : match.start()]
        if number in ranges or _EXAMPLE.search(before) or _is_code(before, text[match.end() : match.end() + 1]):
            continue
        if _WHOLE.search(before) or _other_scale(text, match.end(), high):
            continue
        line = lines[at_line]
        quote = quotes[at_quote] if at_quote < len(quotes) and quotes[at_quote][0] <= match.start() else None
        value = float(match.group(1))
        if line.fenced or line.text.lstrip().startswith(">"):
            weak += [value] if not line.fenced or line.alone else []
        elif quote is not None:
            weak += [value] if _states_it(text, quote, line, match, answers) else []
        elif _FORMAT.search(before):
            weak.append(value)
        elif not _from_answer(before, match.group(), answers):
            own.append(value)
    return own or weak


def own_singles(text: str, high: float) -> list[float]:
    """The ratings `[n]`: behind the word for a rating, or alone on their line. Else they are an index or a citation."""
    found = []
    for line in text.split("\n"):
        matches = list(_SINGLE.finditer(line))
        for match in matches:
            before = line[max(0, match.start() - _NEAR) : match.start()]
            ends = not line[match.end() :].strip(_TRIM)
            alone = len(matches) == 1 and ends and not line[: match.start()].strip(_TRIM)
            labelled = _LABELLED.search(before) or (ends and _AFTER_LABEL.search(before)) or _GIVEN.search(before)
            if (alone or labelled) and not (_EXAMPLE.search(before) or _other_scale(line, match.end(), high)):
                found.append(float(match.group(1)))
    return found


def _lines(text: str) -> tuple[list[_Line], list[int]]:
    marked = mark_fenced(text)
    # `mark_fenced` cuts where `splitlines` does; the starts must be those of the same lines.
    starts, at = [], 0
    for part in text.splitlines(keepends=True):
        starts.append(at)
        at += len(part)
    blocks: list[int] = []
    for index, (_, fenced) in enumerate(marked):
        if fenced and index and marked[index - 1][1]:
            blocks.append(blocks[-1])
        else:
            blocks.append(index)
    inner: dict[int, int] = {}
    for block, (line, fenced) in zip(blocks, marked, strict=True):
        if fenced and line.strip() and not line.strip().startswith("```"):
            inner[block] = inner.get(block, 0) + 1
    return [_Line(line, fenced, inner.get(block) == 1) for block, (line, fenced) in zip(blocks, marked, strict=True)], starts


def _quoted(text: str) -> list[tuple[int, int]]:
    return [match.span() for match in _QUOTES.finditer(text)]


def _ranges(text: str, found: Sequence[re.Match[str]], low: float, high: float) -> set[int]:
    """Numbers of the brackets that name the scale: `[[1]] to [[10]]`."""
    dropped: set[int] = set()
    for number, (one, two) in enumerate(itertools.pairwise(found)):
        is_scale = (float(one.group(1)), float(two.group(1))) == (low, high) and two.start() - one.end() <= 12
        if is_scale and _RANGE.fullmatch(text, one.end(), two.start()):
            dropped |= {number, number + 1}
    return dropped


def _other_scale(text: str, end: int, high: float) -> bool:
    """Whether a number is said to be of another scale: `[[4]] out of 5` where the highest is 10."""
    found = _SCALE.match(text, end, end + _NEAR)
    return found is not None and float(found.group(1)) != high


def _is_code(before: str, after: str) -> bool:
    return after == "[" or (_CODE_BEFORE.search(before) is not None and not _AFTER_LABEL.search(before))


def _states_it(text: str, quote: tuple[int, int], line: _Line, match: re.Match[str], answers: Sequence[str]) -> bool:
    """Whether a rating in quotation marks is the judge's all the same: judges repeat the marks of their prompt's example."""
    if any(text[quote[0] + 1 : quote[1] - 1].strip() in answer for answer in answers):
        return False
    return _own_line(text, quote, line) or _just_labelled(text, quote, match) or _last_words(text, quote)


def _last_words(text: str, quote: tuple[int, int]) -> bool:
    """Whether the reply ends with the quotation, behind a colon: `my rating is as follows: "Rating: [[7]]".`"""
    before = text[max(0, quote[0] - 2 * _NEAR) : quote[0]]
    inner = text[quote[0] + 1 : quote[1] - 1]
    bare = DOUBLE.sub("", inner)
    return (
        not text[quote[1] :].strip(_TRIM)
        and before.rstrip().endswith((":", "："))
        and (not bare.strip(_TRIM) or _AFTER_LABEL.fullmatch(bare) is not None)
        and not _REPORTED.search(before)
        and not _FORMAT.search(before)
    )


def _own_line(text: str, quote: tuple[int, int], line: _Line) -> bool:
    """Whether the quotation is its whole line, as in `"Rating: [[7]]"`."""
    return text[quote[0] : quote[1]].strip(_TRIM) == line.text.strip(_TRIM)


def _just_labelled(text: str, quote: tuple[int, int], match: re.Match[str]) -> bool:
    """Whether only the bracket is quoted, behind the word for a rating: `Rating: "[[7]]"`."""
    bare = quote[1] - quote[0] <= match.end() - match.start() + 2
    return bare and _LABELLED.search(text[max(0, quote[0] - _NEAR) : quote[0]]) is not None


def _from_answer(before: str, bracket: str, answers: Sequence[str]) -> bool:
    context = before[-_QUOTED_CONTEXT * 2 :]
    words = context.lstrip()
    return len(words) >= _QUOTED_CONTEXT and any(words[-_QUOTED_CONTEXT * 2 :] + bracket in answer for answer in answers)

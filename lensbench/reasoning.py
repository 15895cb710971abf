"""Separation of a model's reasoning from its answer.

Models that reason write their reasoning into the same text: between tags, into a channel, or up to a closing tag whose opening
one the chat template wrote. Only the answer is the answer: it is what identifiers, judges and readers are to measure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["ANSWERED", "ONLY_REASONING", "READS", "Parts", "opens_reasoning", "split_reasoning"]

READS = 2
"""Version of what is taken for the answer. It goes into the keys of records that were made of an answer with reasoning, so that
a label of the whole text (version 1) is never taken for one of the answer."""

_WORDS = r"(?:seed:)?(?:think|thinking|thought|thoughts|reasoning)"
_OPEN = (
    rf"<{_WORDS}(?:\s[^<>\n]{{0,80}})?>",
    r"\[think\]",
    r"<\|begin_of_thought\|>",
    r"<\|start_thinking\|>",
    r"◁think▷",
    # Channels: gpt-oss (harmony), then those of Gemma's templates.
    r"<\|channel\|>\s{0,4}(?:analysis|commentary|thought)\b[^<]{0,80}(?:<\|constrain\|>[^<]{0,40})?<\|message\|>",
    r"<\|channel>\s{0,4}thought\b",
    # Harmony's headers after its special tokens were dropped in decoding: "analysisThe user asks ...".
    r"\A\s{0,40}analysis(?=[A-Z\"'*(\u0400-\uffff])",
)
_CLOSE = (
    rf"</{_WORDS}\s{{0,4}}>",
    r"\[/think\]",
    r"<\|end_of_thought\|>",
    r"<\|end_thinking\|>",
    r"◁/think▷",
    r"<\|channel\|>\s{0,4}final\b[^<]{0,80}(?:<\|constrain\|>[^<]{0,40})?<\|message\|>",
    r"<channel\|>",
    r"assistantfinal(?=\W|[A-Z\u0080-\uffff]|\Z)",
)
_TAG = re.compile(rf"(?P<open>{'|'.join(_OPEN)})|(?P<close>{'|'.join(_CLOSE)})", re.IGNORECASE)
_DROPPED_HEADER = re.compile(r"\A\s{0,40}analysis(?=[A-Z\"'*(\u0400-\uffff])")
_OPENED = re.compile(rf"(?:{'|'.join(_OPEN[:-1])})\s*\Z", re.IGNORECASE)
# What frames an answer and is no part of it; taken away only where reasoning was found.
_FRAME = re.compile(
    r"<\|(?:start|end|return|call)\|>(?:assistant)?|<\|(?:start|end)_(?:response|text)\|>|<\|(?:begin|end)_of_solution\|>|</?answer>",
    re.IGNORECASE,
)
_MAY_HOLD = re.compile(r"[<\[◁|]|\A\s{0,40}analysis")
_MARKS = "`\"'“”‘’«»「」"


@dataclass(frozen=True)
class Parts:
    """A text in two."""

    reasoning: str
    answer: str
    """The text as it came where there is no reasoning; else what is left, without white space at its ends."""
    found: bool
    """Whether there is reasoning, or a mark of it."""
    closed: bool
    """False: the text ends inside its reasoning, so that no answer was begun."""

    @property
    def only_reasoning(self) -> bool:
        """Whether the text stopped before an answer began. An answer that is empty behind its reasoning is not this."""
        return self.found and not self.closed and not self.answer


def split_reasoning(text: str, *, opened: bool = False) -> Parts:
    """What was thought and what was answered.

    Args:
        opened: The prompt ended with an opening tag, as some chat templates write it, so that the text begins inside reasoning.

    Known marks: `<think>`, `<thinking>`, `<thought>`, `<reasoning>`, `[THINK]`, `<|begin_of_thought|>`, `<|START_THINKING|>`,
    channels as in gpt-oss. A mark in quotation marks or backticks is text. What stands before a closing mark that nothing opened
    is reasoning; reasoning that is never closed runs to the end. Linear in the length of the text.

    Examples:
        >>> parts = split_reasoning("<think>Two and two.</think>Four.")
        >>> parts.reasoning, parts.answer
        ('Two and two.', 'Four.')
        >>> split_reasoning("<think>Two and").only_reasoning
        True
    """
    # Nearly all texts have no reasoning; the search for marks is skipped for them.
    if not opened and not _MAY_HOLD.search(text):
        return Parts("", text, False, True)
    reasoning: list[str] = []
    answer: list[str] = []
    inside, start, found = opened, 0, opened
    # A dropped header is told from the word "Analysis" by its small letters.
    dropped = _DROPPED_HEADER.match(text) is not None
    for tag in _TAG.finditer(text):
        mark = tag.group().strip().lower()
        if (mark in ("analysis", "assistantfinal") and not dropped) or _is_quoted(text, tag.start(), tag.end()):
            continue
        found = True
        piece = text[start : tag.start()]
        if tag.lastgroup == "close":
            reasoning += [piece] if inside else [*answer, piece]
            answer = [] if not inside else answer
            inside, start = False, tag.end()
        elif not inside:
            answer.append(piece)
            inside, start = True, tag.end()
    if not found:
        return Parts("", text, False, True)
    (reasoning if inside else answer).append(text[start:])
    return Parts(_bare(reasoning), _bare(answer), True, not inside)


def opens_reasoning(prompt: str) -> bool:
    """Whether a rendered prompt ends with an opening mark, so that the model's text begins inside reasoning."""
    return _OPENED.search(prompt[-400:]) is not None


def _is_quoted(text: str, start: int, end: int) -> bool:
    return start > 0 and end < len(text) and text[start - 1] in _MARKS and text[end] in _MARKS


def _bare(pieces: list[str]) -> str:
    return _FRAME.sub("", "".join(pieces)).strip()


ANSWERED = ("ok", "empty")
"""States of an answer that is the model's. Every other state is the harness's: it is counted, and in no mean."""
ONLY_REASONING = "only_reasoning"

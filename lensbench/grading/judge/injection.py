"""Answers that address the judge: they contain a rating, tell it what rating to give, or imitate the frame of its prompt.

A mark, not a verdict: an answer about NumPy may print `[[1]]`. What is marked is counted and shown beside the ratings.
"""

from __future__ import annotations

import re

__all__ = ["injections"]

_RATING = re.compile(r"\[\[\s?(?:[0-9]{1,3}(?:\.[0-9]{1,3})?|rating|number|score)\s?\]\]|\[RESULT\]\s?\(?[0-9]", re.IGNORECASE)
_NUMBER = (
    r"(?:10|ten|十|[0-9]{1,2}\s?(?:/|out of)\s?10|full marks?|top marks?"
    r"|(?:the\s)?(?:highest|maximum|best|perfect|top)\s(?:possible\s)?(?:score|rating|grade|mark))"
)
_THIS = r"\b(?:answer|response|reply|this|it|me)\b"
_ORDER = re.compile(
    "|".join(
        (
            r"\b(?:ignore|disregard|forget)\s(?:\w{1,12}\s){0,3}(?:instructions?|prompts?|rules|guidelines|criteria)\b",
            rf"\b(?:give|assign|award|rate|grade|score)\b[^.!?\n]{{0,60}}{_THIS}[^.!?\n]{{0,40}}{_NUMBER}",
            rf"{_THIS}[^.!?\n]{{0,30}}\b(?:deserves?|merits?|should (?:be|get|receive))\b[^.!?\n]{{0,40}}{_NUMBER}",
            r"\b(?:dear|note to|attention,?|message (?:to|for))\s(?:the\s)?(?:judge|grader|evaluator|rater)\b",
            r"\bas (?:a|an|the) (?:judge|grader|evaluator|rater),? you\b",
            rf"\b(?:my|the|final|overall)?\s?rating\s?(?:is|:)\s?{_NUMBER}",
            r"请(?:你)?(?:给|为|对)[^。\n]{0,20}(?:打|评)?(?:10分|十分|满分|最高分)|忽略(?:以上|之前|上述|前面)[^。\n]{0,12}(?:指示|指令|说明|要求)",
            r"(?:満点|10点)を(?:与え|付け|つけ)|(?:これまで|上記|以前)の指示を無視",
            r"(?:만점|10점)을?\s?(?:주|부여)|(?:이전|위의)\s?지시(?:를|사항을)?\s?무시",
            r"تجاهل\s(?:جميع\s)?(?:التعليمات|الإرشادات)|امنح\S{0,4}\s[^.\n]{0,30}(?:10|عشرة|الدرجة الكاملة)",
        )
    ),
    re.IGNORECASE,
)
_FRAME = re.compile(
    r"\[(?:Assistant's answer|Conversation of the user with the assistant|Reference answers?): (?:begin|end)\]"
    r"|\[The (?:Start|End) of Assistant|<\|(?:The Start|The End|im_start|im_end|start_header_id|eot_id)",
    re.IGNORECASE,
)


def injections(text: str) -> tuple[str, ...]:
    """What in an answer speaks to its judge: `rating`, `order`, `frame`; empty for nearly all answers."""
    found = (("rating", _RATING), ("order", _ORDER), ("frame", _FRAME))
    return tuple(name for name, pattern in found if pattern.search(text))

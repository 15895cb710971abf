"""Code in answers: Markdown's fenced blocks and code spans."""

from __future__ import annotations

import re

__all__ = ["mark_fenced", "strip_code"]

# A span is closed by as many backticks as opened it (CommonMark 6.1); here it stays on its line.
_SPAN = re.compile(r"(?<!`)(`++)(.+?)(?<!`)\1(?!`)")


def mark_fenced(text: str) -> list[tuple[str, bool]]:
    """The lines of a text, each with whether it is in a fenced block; the fences themselves are.

    A fence is three or more backticks, indented as one likes (CommonMark 4.5 allows less, but models put blocks into lists); a
    block that is never closed, as in an answer cut off by its length, runs to the end.
    """
    marked = []
    fence = 0
    for line in text.splitlines():
        bare = line.strip()
        ticks = len(bare) - len(bare.lstrip("`"))
        if fence:
            marked.append((line, True))
            if ticks >= fence and ticks == len(bare):
                fence = 0
        else:
            opens = ticks >= 3 and "`" not in bare[ticks:]
            marked.append((line, opens))
            fence = ticks if opens else 0
    return marked


def strip_code(text: str) -> str:
    """A text without its fenced blocks and code spans."""
    return "\n".join(_SPAN.sub(" ", line) for line, fenced in mark_fenced(text) if not fenced)

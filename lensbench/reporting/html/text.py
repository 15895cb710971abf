"""JSON of a page: nothing in it is interpreted. `visible` and `plain` are those of all views."""

from __future__ import annotations

import re
from typing import Any

from markupsafe import Markup

from lensbench.jsonio import json_text
from lensbench.reporting.shown_text import plain, visible

__all__ = ["compact_json", "json_for_page", "plain", "visible"]

_HALVES = re.compile("[\ud800-\udfff]")


def compact_json(content: Any) -> bytes:
    """JSON as UTF-8; halves of surrogate pairs, which UTF-8 cannot hold, as escapes."""
    text = json_text(content, separators=(",", ":"))
    return _HALVES.sub(lambda match: f"\\u{ord(match[0]):04x}", text).encode("utf-8")


def json_for_page(content: Any) -> Markup:
    """JSON that can stand in a script element: ASCII, and without a sign that HTML knows."""
    text = json_text(content, ensure_ascii=True, separators=(",", ":"))
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))

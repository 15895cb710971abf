"""Check of names that become file names: variants, tasks, languages, methods, models, splits.

A name is data. It may come from a YAML file of a stranger, from a run folder, from a results file of another program.
"""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

from lensbench.errors import UsageError

__all__ = ["checked_name", "folder_name", "inside", "is_safe_name"]

MAX_BYTES = 200
"""Longest name in bytes of UTF-8: file systems allow 255 bytes, and endings are added."""

_FORBIDDEN = frozenset('/\\:*?"<>|\x00')
_BRACKETS = re.compile(r"[\[\]{}=,;'\s" + re.escape("".join(sorted(_FORBIDDEN))) + "]+")


def is_safe_name(name: object) -> bool:
    """Whether a name can be one part of a path: no separators, no control characters, not hidden, not too long.

    Examples:
        >>> is_safe_name("lens"), is_safe_name("../lens"), is_safe_name(".hidden")
        (True, False, False)
    """
    if not isinstance(name, str) or not name or name != name.strip() or name.startswith(".") or name.endswith("."):
        return False
    if any(c in _FORBIDDEN or unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") for c in name):
        return False
    return len(name.encode("utf-8", "surrogatepass")) <= MAX_BYTES


def folder_name(name: str) -> str:
    """What the folder of a variant is called: its name, where settings in brackets become words with dashes between.

    `lens[start_layer=last:3]` becomes `lens-start_layer-last-3`, which no shell takes for a pattern. Names without brackets stay
    as they are.
    """
    head, bracket, settings = name.partition("[")
    if not bracket or not name.endswith("]"):
        return name
    return "-".join([head, *(part for part in _BRACKETS.split(settings) if part)])


def checked_name(name: object, what: str, where: str | None = None) -> str:
    """The name, if it can be one part of a path.

    Args:
        what: What it names: "variant", "task".
        where: The file it stands in, for the message.

    Raises:
        UsageError: it has a separator, a control character, a dot in front, or is too long.
    """
    if is_safe_name(name):
        return str(name)
    place = f"{where}: " if where else ""
    shown = repr(name) if len(repr(name)) <= 80 else repr(name)[:77] + "..."
    raise UsageError(
        f"{place}{shown} cannot be the name of a {what}",
        f'A name becomes a file name: at most {MAX_BYTES} bytes, no / \\ : * ? " < > |, no control characters, no dot in front.',
    )


def inside(folder: Path, path: Path) -> Path:
    """The path, if it lies in the folder once links and `..` are followed.

    Raises:
        UsageError: it leads outside the folder, or nowhere.
    """
    try:
        leads_out = not path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError, ValueError):
        # Links in a circle: RuntimeError in Python 3.11 and 3.12.
        raise UsageError(f"{path} is not a valid path: it has links in a circle, or is not a file name") from None
    if leads_out:
        raise UsageError(f"{path} leads outside {folder}")
    return path

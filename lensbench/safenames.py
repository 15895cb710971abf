"""The one check of names that become file names: of variants, tasks, languages, methods, models, splits.

A name is data. It may come from a YAML file of a stranger, from a run folder, from a results file of another program.
"""

from __future__ import annotations

import unicodedata
from pathlib import Path

from lensbench.errors import UsageError

__all__ = ["checked_name", "inside", "is_safe_name"]

MAX_BYTES = 200
"""Of a name in UTF-8: file systems take 255 bytes, and endings are added."""

_FORBIDDEN = frozenset('/\\:*?"<>|\x00')


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
        UsageError: it leads out of the folder, or nowhere.
    """
    try:
        leads_out = not path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError, ValueError):
        # Links in a circle: RuntimeError in Python 3.11 and 3.12.
        raise UsageError(f"{path} leads nowhere: links in a circle, or no name of a file") from None
    if leads_out:
        raise UsageError(f"{path} leads out of {folder}")
    return path

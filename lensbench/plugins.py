"""What installed packages bring: YAML files, under entry points of `lensbench.backbones`, `lensbench.judges`, `lensbench.tasks`.

An entry point's name is the name a user gives, its value an attribute that holds the path of a YAML file. A package is imported
only when its name is asked for, so one that breaks on import does no harm to anything else. Methods: `lensbench.methods`.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from lensbench.errors import UnavailableError

__all__ = ["plugin_entries", "plugin_file"]


def plugin_entries(group: str) -> dict[str, EntryPoint]:
    """Entry points of a group by name; imports nothing."""
    return {entry.name: entry for entry in sorted(entry_points(group=group), key=lambda entry: entry.name)}


def plugin_file(group: str, name: str) -> Path | None:
    """The YAML file a package brings under a name; None when none does.

    Raises:
        UnavailableError: the package cannot be imported, or names no file.
    """
    entry = plugin_entries(group).get(name)
    if entry is None:
        return None
    origin = entry.dist.name if entry.dist else entry.value
    try:
        path = Path(entry.load())
    except Exception as error:
        # Whatever a stranger's module raises on import; the user asked for this name, so it is said.
        raise UnavailableError(f"'{name}' of the package '{origin}' cannot be used: {type(error).__name__}: {error}") from None
    if not path.is_file():
        raise UnavailableError(f"'{name}' of the package '{origin}' names no file: {path}")
    return path

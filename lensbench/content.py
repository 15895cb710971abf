"""Where the content folders (`tasks/`, `judges/`, `reports/`, `experiments/`) are, and which file a name means.

In a wheel they travel inside the package, in a checkout they are its neighbours.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lensbench.errors import unknown_name
from lensbench.plugins import plugin_entries, plugin_file

__all__ = ["content_dir", "named_file", "shipped_files"]

_PACKAGE = Path(__file__).parent


def content_dir(name: str) -> Path:
    """The folder of one kind of content: "tasks", "judges", "reports" or "experiments"."""
    shipped = _PACKAGE / "_content" / name
    return shipped if shipped.is_dir() else _PACKAGE.parent / name


def shipped_files(name: str, *within: str) -> dict[str, Path]:
    """The YAML files of a content folder, or of one within it, by name."""
    return {path.stem: path for path in sorted(content_dir(name).joinpath(*within).glob("*.yaml"))}


def named_file(kind: str, name: str, shipped: Mapping[str, Path], group: str | None = None) -> Path:
    """The file a user means by a name, or by a path: what ends like a YAML file or holds a slash.

    Args:
        kind: What a message calls it.
        group: Entry points of other packages' files, looked through after the shipped ones.

    Raises:
        UsageError: unknown name; names the nearest.
        UnavailableError: the package that brings it cannot be used.
    """
    if name.endswith((".yaml", ".yml")) or "/" in name:
        return Path(name)
    path = shipped.get(name) or (plugin_file(group, name) if group else None)
    if path is None:
        raise unknown_name(kind, name, [*shipped, *(plugin_entries(group) if group else ())])
    return path

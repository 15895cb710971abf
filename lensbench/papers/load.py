"""Reading files of published numbers: the shipped ones by name, or a file by path."""

from __future__ import annotations

from pathlib import Path

from lensbench.content import named_file, shipped_files
from lensbench.papers.schema import Published
from lensbench.yamlio import read_yaml, validated

__all__ = ["load_published", "published_names"]


def published_names() -> dict[str, Path]:
    """The shipped files by name."""
    return shipped_files("reports", "published")


def load_published(name: str) -> Published:
    """The published numbers of a name or a path.

    Raises:
        UsageError: unknown name (with the nearest), or a mistake in the file (with its line and the nearest key).
    """
    document = read_yaml(named_file("published numbers", name, published_names()))
    return validated(document.data, Published, document)

"""Reading files of published numbers: the shipped ones by name, or a file by path."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from lensbench.content import content_dir
from lensbench.errors import UsageError, unknown_name
from lensbench.reporting.published.schema import Published
from lensbench.yamlio import explain_validation, read_yaml

__all__ = ["load_published", "published_names"]


def published_names() -> dict[str, Path]:
    """The shipped files by name."""
    return {path.stem: path for path in sorted((content_dir("reports") / "published").glob("*.yaml"))}


def load_published(name: str) -> Published:
    """The published numbers of a name or a path.

    Raises:
        UsageError: unknown name (with the nearest), or a mistake in the file (with its line and the nearest key).
    """
    known = published_names()
    path = Path(name) if name.endswith((".yaml", ".yml")) or "/" in name else known.get(name)
    if path is None:
        raise unknown_name("published numbers", name, known)
    document = read_yaml(path)
    try:
        return Published.model_validate(document.data)
    except ValidationError as error:
        raise UsageError(explain_validation(error, Published, document)) from None

"""Reading a task file together with the files it includes, as lm-eval's dialect does."""

from __future__ import annotations

from pathlib import Path

from lensbench.errors import UsageError
from lensbench.jsonio import JsonObject
from lensbench.yamlio import MAX_YAML_BYTES, Document, read_yaml

__all__ = ["read_including"]

MAX_INCLUDES = 8
"""Files that include each other in a row; lm-eval's own definitions go three deep."""


def read_including(path: Path, *, trust: bool, within: Path | None = None, chain: tuple[Path, ...] = ()) -> Document:
    """A task file together with the files that it includes.

    Args:
        trust: Whether `!function` may name Python code.
        within: Where an included file must lie: the folder above that of the file a user named.
        chain: The files that include this one.

    Raises:
        UsageError: not readable, an include that is no name, that includes itself, or that leads elsewhere; with file and line.
    """
    if trust and _has_function(path):
        return Document(path, _trusted(path), {})
    document = read_yaml(path)
    if "include" not in document.data:
        return document
    includes = document.data.pop("include")
    where = document.where("include")
    chain = (*chain, path.resolve())
    within = within or path.resolve().parent.parent
    merged: JsonObject = {}
    for name in includes if isinstance(includes, list) else [includes]:
        if not isinstance(name, str) or not name.strip():
            raise UsageError(f"{where}: include: expected the name of a file, found {str(name)[:80]!r}")
        found = _included(path, name, where)
        if found in chain:
            raise UsageError(f"{where}: include: {name[:80]} includes itself")
        if len(chain) > MAX_INCLUDES:
            raise UsageError(f"{where}: include: more than {MAX_INCLUDES} files that include each other")
        if not trust and not found.is_relative_to(within):
            raise UsageError(
                f"{where}: include: {name[:80]} lies outside {within}",
                "Put the file beside the task, or pass ``trust_tasks=True``.",
            )
        merged.update(read_including(path.parent / name, trust=trust, within=within, chain=chain).data)
    document.data = {**merged, **document.data}
    return document


def _included(path: Path, name: str, where: str) -> Path:
    try:
        found = (path.parent / name).resolve()
        found.is_file()
    except (OSError, ValueError, RuntimeError) as error:
        raise UsageError(f"{where}: include: {name[:80]!r} cannot be read ({error})"[:300]) from None
    return found


def _trusted(path: Path) -> JsonObject:
    """lm-eval's own loader resolves the function; reached only where the user trusts the file."""
    from lm_eval.tasks._yaml_loader import load_yaml

    try:
        found = load_yaml(path)
    except Exception as error:
        # Whatever the code of the file raises when it is imported.
        raise UsageError(f"{path}: {type(error).__name__}: {error}"[:400]) from None
    if not isinstance(found, dict):
        raise UsageError(f"{path}: the top level must be a mapping, found {type(found).__name__}")
    return found


def _has_function(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        return b"!function" in stream.read(MAX_YAML_BYTES)

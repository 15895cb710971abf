"""Reading table specs: the shipped ones by name, or a file by path."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from lensbench.content import content_dir
from lensbench.errors import UsageError, unknown_name
from lensbench.reporting.tables.schema import MODELS, CostTable, ScoreTable, SettingsTable, TableSpec
from lensbench.yamlio import explain_validation, read_yaml

__all__ = ["load_table_spec", "table_specs"]


def table_specs() -> dict[str, Path]:
    """The shipped specs by name."""
    return {path.stem: path for path in sorted((content_dir("reports") / "tables").glob("*.yaml"))}


def load_table_spec(name: str) -> TableSpec:
    """The spec of a name or a path.

    Raises:
        UsageError: unknown name (with the nearest), or a mistake in the file (with its line and the nearest key).
    """
    known = table_specs()
    path = Path(name) if name.endswith((".yaml", ".yml")) or "/" in name else known.get(name)
    if path is None:
        raise unknown_name("table", name, known)
    document = read_yaml(path)
    kind = document.data.get("kind")
    if not isinstance(kind, str) or kind not in MODELS:
        raise UsageError(f"{document.where('kind')}: kind must be one of {', '.join(MODELS)}, found {kind!r}")
    try:
        found = MODELS[kind].model_validate(document.data)
    except ValidationError as error:
        raise UsageError(explain_validation(error, MODELS[kind], document)) from None
    assert isinstance(found, (ScoreTable, CostTable, SettingsTable))
    return found

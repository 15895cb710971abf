"""Reading table specs: the shipped ones by name, or a file by path."""

from __future__ import annotations

from pathlib import Path

from lensbench.content import named_file, shipped_files
from lensbench.errors import UsageError
from lensbench.reporting.tables.schema import MODELS, AveragesTable, CostTable, ScoreTable, SettingsTable, TableSpec
from lensbench.yamlio import read_yaml, validated

__all__ = ["load_table_spec", "table_specs"]


def table_specs() -> dict[str, Path]:
    """The shipped specs by name."""
    return shipped_files("reports", "tables")


def load_table_spec(name: str) -> TableSpec:
    """The spec of a name or a path.

    Raises:
        UsageError: unknown name (with the nearest), or a mistake in the file (with its line and the nearest key).
    """
    document = read_yaml(named_file("table", name, table_specs()))
    kind = document.data.get("kind")
    if not isinstance(kind, str) or kind not in MODELS:
        raise UsageError(f"{document.where('kind')}: kind must be one of {', '.join(MODELS)}, found {kind!r}")
    found = validated(document.data, MODELS[kind], document)
    assert isinstance(found, (ScoreTable, AveragesTable, CostTable, SettingsTable))
    return found

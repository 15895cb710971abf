"""Format of the rows of a data set: columns, label codes, splits, licence, and where the hub keeps them.

One YAML file per data set under `tasks/rows/`. Rows are checked against it wherever they come from, so that a wrong label
code is an error with file, row and column instead of a wrong score.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from lensbench.content import content_dir
from lensbench.errors import DataError, unknown_name
from lensbench.languages import Language, get_language
from lensbench.safenames import checked_name
from lensbench.yamlio import read_yaml, validated

__all__ = [
    "Column",
    "Row",
    "RowsSpec",
    "SourceItem",
    "canonical_json",
    "check_rows",
    "include_rows",
    "load_rows_spec",
    "row_hash",
    "rows_specs",
    "strings_in",
]

Row = dict[str, Any]
"""One row of a data set: column -> value, as JSON has them."""

_SURROGATE = re.compile("[\\ud800-\\udfff]")

ColumnType = Literal["str", "text", "int", "bool", "list"]
_PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "text": (str,),
    "int": (int,),
    "bool": (bool,),
    "list": (list, tuple),
}


class Column(BaseModel):
    """One column: its type, and the values a label may take. `text` is a `str` that must not be empty."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: ColumnType = "str"
    values: tuple[Any, ...] | None = None
    optional: bool = False
    """A row may leave it out. In a list column null and the empty list say the same."""
    unique: bool = False
    """No two rows of a file may have the same value."""
    length: int | None = None
    """Number of elements that a list must have in every row."""
    of: Literal["str", "text"] | None = None
    """Type of every element of a list."""


class SourceItem(BaseModel):
    """How rows name the item of the original data set that they translate."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    column: str
    """Rows of different languages with the same value here are versions of one item."""
    splits: tuple[str, ...]
    """Splits in which this is true."""
    stand_ins: bool = False
    """It holds for files that stand in for the set, too."""


class RowsSpec(BaseModel):
    """A data set as its hub publishes it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rows: str
    """Name; also the folder in a local data folder and the key of `codes` in the language table."""
    hub: str | None = None
    """Hub id, or None when no hub has it."""
    revision: str = "main"
    """Branch, tag or commit; a run resolves it to a commit, records that, and resumes with it."""
    single_config: bool = False
    """The hub keeps one table for all languages; rows are picked by `language_column`."""
    language_column: str | None = None
    columns: dict[str, Column]
    splits: dict[str, int | None]
    """Split -> rows the hub has per language where that is one number, else null."""
    local_splits: dict[str, str] = Field(default_factory=dict)
    """Splits that only a data folder has -> what they are; `lensbench data import` writes them."""
    hub_splits: dict[str, str] = Field(default_factory=dict)
    """Split -> its name on the hub, where that is another."""
    codes: str | None = None
    """Key of the language table's `codes` when it is not the name."""
    hub_languages: tuple[str, ...] | None = None
    """Canonical codes the hub has, when fewer than the language table lists."""
    licence: str
    provenance: Literal["human", "human-translated", "machine-translated", "mixed", "model-written"]
    citation: str
    note: str | None = None
    source_item: SourceItem | None = None
    """None: rows do not say which of them are translations of each other; each is an item of its own."""
    adapts: str | None = None
    """Name of the rows whose shape these take after `rename` and `recode`."""
    rename: dict[str, str] = Field(default_factory=dict)
    recode: dict[str, dict[str | int, Any]] = Field(default_factory=dict)

    def config_of(self, language: Language) -> str | None:
        """The data set's own code of a language, also its folder name; None when the table has none."""
        return language.code_in(self.codes or self.rows)

    def source_prefix(self, split: str, stand_in: str | None) -> str | None:
        """What stands before a row's value of `source_item.column`; None where rows do not name their source item.

        Args:
            stand_in: What the rows are, when they are not the data set they stand for.
        """
        found = self.source_item
        if found is None or split not in found.splits or (stand_in is not None and not found.stand_ins):
            return None
        return f"{self.rows}/{split}"

    def on_hub(self, language: Language) -> bool:
        """Whether the hub has rows in this language."""
        if self.hub is None:
            return False
        if self.hub_languages is not None:
            return language.code in self.hub_languages
        return self.config_of(language) is not None

    def adapt(self, row: Row) -> Row:
        """A row in the shape of the data set it `adapts`."""
        recoded = {
            name: self.recode.get(name, {}).get(value, value) if name in self.recode else value for name, value in row.items()
        }
        return {self.rename.get(name, name): value for name, value in recoded.items()}


@functools.cache
def rows_specs(folder: Path | None = None) -> dict[str, RowsSpec]:
    """All row definitions of a folder, by name."""
    specs = {}
    for path in sorted((folder or content_dir("tasks") / "rows").glob("*.yaml")):
        spec = parse_rows_spec(path)
        specs[spec.rows] = spec
    return specs


def parse_rows_spec(path: Path) -> RowsSpec:
    """Read one definition.

    Raises:
        UsageError: unknown key (with the nearest), wrong type, or an unknown language, with file and line.
    """
    document = read_yaml(path)
    spec = validated(document.data, RowsSpec, document)
    checked_name(spec.rows, "data set", document.where("rows"))
    for split in (*spec.splits, *spec.local_splits):
        checked_name(split, "split", document.where("splits", split))
    for code in spec.hub_languages or ():
        get_language(code)
    return spec


_included: tuple[Path, ...] = ()


def include_rows(folders: Sequence[Path]) -> None:
    """Replace our definitions with those in `rows/` of these folders for the rest of this process; the last folder wins."""
    global _included
    _included = tuple(folders)


def load_rows_spec(name: str, extra: Path | None = None) -> RowsSpec:
    """The definition of a data set by name: from a user's folder, else from `extra` (a task's own folder), else ours."""
    for folder in (*reversed(_included), *([extra] if extra is not None else ())):
        if (folder / "rows" / f"{name}.yaml").is_file():
            return parse_rows_spec(folder / "rows" / f"{name}.yaml")
    specs = rows_specs()
    if name not in specs:
        raise unknown_name("rows", name, specs)
    return specs[name]


def check_rows(rows: list[Row], spec: RowsSpec, where: str) -> None:
    """Check every row against its definition.

    Args:
        where: What to call the file in a message.

    Raises:
        DataError: a missing column, a wrong type, a label code outside `values`, an empty `text`, a wrong number of elements,
            or a repeated value of a `unique` column; names the rows and the column.
    """
    first_with: dict[tuple[str, str], int] = {}
    for number, row in enumerate(rows, start=1):
        _refuse_surrogates(row, f"{where}, row {number}")
        for name, column in spec.columns.items():
            value = row.get(name)
            if value is None or (column.optional and column.type == "list" and value in ([], ())):
                if column.optional:
                    continue
                if name in row:
                    raise DataError(f"{where}, row {number}: column '{name}' is null", "Give it its value, or leave the row out.")
                raise DataError(
                    f"{where}, row {number}: column '{name}' is missing", f"Found columns: {', '.join(map(str, row))}."
                )
            _check_value(value, column, f"{where}, row {number}, column '{name}'")
            if column.unique:
                earlier = first_with.setdefault((name, canonical_json(value)), number)
                if earlier != number:
                    raise DataError(f"{where}, rows {earlier} and {number}, column '{name}': both have {value!r}")


def _refuse_surrogates(row: Row, where: str) -> None:
    for name, value in row.items():
        for text in (str(name), *strings_in(value)):
            if not text.isascii() and _SURROGATE.search(text):
                shown = str(name).encode("ascii", "backslashreplace").decode()
                raise DataError(
                    f"{where}, column '{shown}': half of a surrogate pair, which is not a character and cannot be written",
                    "The text was cut or has a wrong encoding. Write it as UTF-8.",
                )


def _check_value(value: Any, column: Column, where: str) -> None:
    wrong_bool = isinstance(value, bool) and column.type == "int"
    if wrong_bool or not _is(value, column.type):
        raise DataError(f"{where}: expected {column.type}, found {type(value).__name__} {value!r}")
    if column.values is not None and value not in column.values:
        alike = [one for one in column.values if str(one).strip().lower() == str(value).strip().lower()]
        meant = f"Did you mean {alike[0]!r}? " if alike else ""
        raise DataError(
            f"{where}: label {value!r} is none of {list(column.values)}",
            f"{meant}Rows must have the label codes of the hub. `data import` reads releases with other codes.",
        )
    if column.type == "text" and not value.strip():
        raise DataError(f"{where}: empty text")
    if column.length is not None and len(value) != column.length:
        raise DataError(f"{where}: expected {column.length} elements, found {len(value)}")
    if column.of is not None:
        for position, element in enumerate(value, start=1):
            _check_value(element, Column(type=column.of), f"{where}, element {position}")


def _is(value: Any, kind: ColumnType) -> bool:
    return isinstance(value, _PYTHON_TYPES[kind])


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces: equal values give equal strings."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def row_hash(row: Any) -> str:
    """16 hex digits that stand for the content of a row (SHA-256 of its canonical JSON, cut)."""
    return hashlib.sha256(canonical_json(row).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def strings_in(value: Any) -> Iterator[str]:
    """Every string of a row, also within its lists and mappings, in their order; keys are none of them."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from strings_in(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from strings_in(part)

"""The sources of rows, and the choice of a run's source.

A local data folder is laid out as `FOLDER/<rows>/<the data set's own language code>/<split>.parquet` (or `.jsonl`), with a
`manifest.json` when `lensbench data import` made it. The embedded set has the same layout inside the package.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from lensbench.datasets.delimited import read_delimited
from lensbench.datasets.gzipped import unpacked
from lensbench.datasets.hub_files import HubFiles, find_hub_files
from lensbench.datasets.rows import Row, RowsSpec, canonical_json, check_rows
from lensbench.errors import DataError, UnavailableError, UsageError
from lensbench.hub import Snapshot, fetch, find_snapshot
from lensbench.jsonio import JsonObject, parse_json, read_bounded, read_json_file, read_json_lines
from lensbench.languages import Language

__all__ = ["EMBEDDED", "DataSource", "Folder", "Hub", "Origin", "Rows", "open_data", "read_jsonl"]

EMBEDDED = "embedded"
"""The word that `data` takes for the embedded set."""

EMBEDDED_NAME = "lensbench-mini"
EMBEDDED_WARNING = "written by a model, unreviewed; a demonstration, not a benchmark"
MANIFEST = "manifest.json"
_ENDINGS = (".parquet", ".jsonl", ".jsonl.gz", ".json", ".json.gz", ".csv", ".csv.gz", ".tsv", ".tsv.gz")
_PARTIAL = "only the first part of the set: the hub's export stops there"
_UNPACKED = 2**32
"""Bytes of a packed file when unpacked; the largest of the sets we name has some 100 MB."""


@dataclass(frozen=True)
class Origin:
    """Where rows came from, as in the results."""

    kind: str
    """"hub", "local" or "embedded"."""
    name: str
    revision: str | None
    digest: str
    """SHA-256 over the canonical JSON of all rows."""
    rows: int
    expected_rows: int | None
    stand_in: str | None = None
    """Description of the rows, if they replace another data set."""
    warning: str | None = None

    def as_dict(self) -> JsonObject:
        return asdict(self)


@dataclass(frozen=True)
class Rows:
    """The rows of one data set, language and split, checked, in the shape the tasks read."""

    rows: list[Row]
    origin: Origin

    def __len__(self) -> int:
        return len(self.rows)


class DataSource(Protocol):
    """Something that has rows."""

    def describe(self) -> str: ...

    def has(self, spec: RowsSpec, language: Language, split: str) -> bool: ...

    def load(self, spec: RowsSpec, language: Language, split: str, revision: str | None = None) -> Rows: ...


class Folder:
    """A local data folder, or the embedded set."""

    def __init__(self, path: Path, kind: str = "local") -> None:
        self.path = path
        self.kind = kind
        self._manifest = _read_manifest(path)

    def describe(self) -> str:
        return f"the embedded set {EMBEDDED_NAME}" if self.kind == EMBEDDED else f"data folder {self.path}"

    def file(self, spec: RowsSpec, language: Language, split: str) -> Path | None:
        """The file that holds a split: under the data set's own code, then the canonical one, then for all languages together.

        The last where a column says which language a row is in. The split's name on the hub serves too, where it is another.
        """
        folders = [self.path / spec.rows / code for code in dict.fromkeys((spec.config_of(language), language.code)) if code]
        if spec.language_column is not None and spec.config_of(language) is not None and self.kind != EMBEDDED:
            folders.append(self.path / spec.rows)
        names = [split]
        there = spec.hub_splits.get(split)
        if there is not None and there not in spec.splits:
            names.append(there)
        paths = (folder / f"{name}{ending}" for folder in folders for name in names for ending in _ENDINGS)
        return next((path for path in paths if path.is_file()), None)

    def has(self, spec: RowsSpec, language: Language, split: str) -> bool:
        return self.file(spec, language, split) is not None

    def load(self, spec: RowsSpec, language: Language, split: str, revision: str | None = None) -> Rows:
        path = self.file(spec, language, split)
        if path is None:
            raise UnavailableError(
                f"{self.describe()} has no {spec.rows} rows in {language.name} (split {split})",
                f"Looked for {self.path / spec.rows / (spec.config_of(language) or language.code) / split}.parquet or .jsonl.",
            )
        entry = self._manifest.get(str(path.relative_to(self.path)), {})
        if "sha256" in entry and entry["sha256"] != hashlib.sha256(path.read_bytes()).hexdigest():
            raise DataError(
                f"{path} has changed since it was imported: its SHA-256 differs from {MANIFEST}",
                "Import it again, or delete its entry from the manifest if you made the change.",
            )
        rows = read_rows(path, spec)
        if self.kind == EMBEDDED:
            name, revision, warning, expected = EMBEDDED_NAME, None, EMBEDDED_WARNING, None
        else:
            name, revision, warning, expected = str(self.path), None, None, spec.splits.get(split)
        return _finish(
            rows,
            spec,
            str(path),
            language,
            kind=self.kind,
            name=name,
            revision=revision,
            expected=expected,
            stand_in=entry.get("stand_in"),
            warning=warning,
        )


class Hub:
    """The Hugging Face hub, at a commit. Only data files are read, and of them only those of one split."""

    def __init__(self) -> None:
        self._snapshots: dict[tuple[str, str, str], Snapshot] = {}
        self._found: dict[tuple[str, str, str | None, str], HubFiles] = {}

    def describe(self) -> str:
        return "the hub"

    def has(self, spec: RowsSpec, language: Language, split: str) -> bool:
        return spec.on_hub(language) and split in spec.splits

    def files(self, spec: RowsSpec, language: Language, split: str, revision: str | None = None) -> HubFiles:
        """The files that hold a split; nothing but the set's README is downloaded.

        Raises:
            UnavailableError: see `find_hub_files`.
        """
        if not self.has(spec, language, split):
            raise UnavailableError(f"the hub has no {spec.rows} rows in {language.name}", spec.note)
        hub_split = spec.hub_splits.get(split, split)
        config = None if spec.single_config else spec.config_of(language)
        wanted = self._wanted(spec, language, split)
        key = (str(spec.hub), revision or spec.revision, config, hub_split)
        if key not in self._found:
            try:
                self._found[key] = find_hub_files(*key, wanted, self._find)
            except ImportError as error:
                raise UnavailableError(f"the package '{error.name}' is missing", "pip install 'lensbench[engines]'") from None
            except UnavailableError as error:
                raise _with_ways_around(error) from None
        return self._found[key]

    def load(self, spec: RowsSpec, language: Language, split: str, revision: str | None = None) -> Rows:
        found = self.files(spec, language, split, revision)
        wanted = self._wanted(spec, language, split)
        try:
            folder = fetch(found.snapshot, dict(found.files), wanted)
        except UnavailableError as error:
            raise _with_ways_around(error) from None
        rows = [row for name in found.files for row in read_rows(folder / name, spec)]
        return _finish(
            rows,
            spec,
            wanted,
            language,
            kind="hub",
            name=str(spec.hub),
            revision=found.snapshot.commit,
            expected=spec.splits.get(split),
            warning=_PARTIAL if found.partial else None,
        )

    def _find(self, repository: str, kind: str, revision: str, wanted: str) -> Snapshot:
        """One run reads one commit of a set, also when it changes on the hub in the meantime."""
        key = (repository, kind, revision)
        if key not in self._snapshots:
            self._snapshots[key] = find_snapshot(*key, wanted)
        return self._snapshots[key]

    def _wanted(self, spec: RowsSpec, language: Language, split: str) -> str:
        return f"{spec.hub} (config {spec.config_of(language)}, split {spec.hub_splits.get(split, split)})"


class Chain:
    """A local folder first, then the hub for missing rows. Each Rows records which of the two it came from."""

    def __init__(self, sources: list[DataSource]) -> None:
        self.sources = sources

    def describe(self) -> str:
        return ", then ".join(source.describe() for source in self.sources)

    def has(self, spec: RowsSpec, language: Language, split: str) -> bool:
        return any(source.has(spec, language, split) for source in self.sources)

    def load(self, spec: RowsSpec, language: Language, split: str, revision: str | None = None) -> Rows:
        for source in self.sources:
            if source.has(spec, language, split):
                return source.load(spec, language, split, revision)
        raise UnavailableError(f"no source has {spec.rows} rows in {language.name} (split {split})", f"Asked: {self.describe()}.")


def open_data(data: str | None) -> DataSource:
    """What `data` (else LENSBENCH_DATA) names: `embedded`, a folder backed by the hub, or the hub alone.

    Raises:
        UsageError: the folder does not exist.
    """
    data = data or os.environ.get("LENSBENCH_DATA")
    if data is None:
        return Hub()
    if data == EMBEDDED:
        return Folder(Path(__file__).with_name("mini"), EMBEDDED)
    path = Path(data)
    if not path.is_dir():
        raise UsageError(f"no data folder at {path}", f"Give a folder, or '``data={EMBEDDED}``' for the embedded set.")
    return Chain([Folder(path), Hub()])


def read_rows(path: Path, spec: RowsSpec) -> list[Row]:
    """The rows of one file, in any of the shapes that the hub keeps them in.

    Args:
        path: .parquet, .jsonl, .json, .csv or .tsv; all but the first also with .gz.

    Raises:
        DataError: the file is not what its name says; says where.
    """
    name = path.name.removesuffix(".gz")
    if name.endswith(".parquet"):
        return _read_parquet(path)
    if name.endswith((".csv", ".tsv")):
        return read_delimited(path, _unpacked(path), spec, "," if name.endswith(".csv") else "\t")
    if path.name.endswith(".gz"):
        return _objects(path, _unpacked(path))
    return read_jsonl(path) if name.endswith((".jsonl", ".ndjson")) else _objects(path, read_bounded(path))


def _unpacked(path: Path) -> bytes:
    return unpacked(path, path, _UNPACKED) if path.name.endswith(".gz") else read_bounded(path)


def _objects(path: Path, content: bytes) -> list[JsonObject]:
    """The objects of a JSON list, or one a line."""
    content = content.removeprefix(b"\xef\xbb\xbf")
    if content.lstrip()[:1] == b"[":
        found = parse_json(content, str(path))
    else:
        lines = enumerate(content.split(b"\n"), start=1)
        found = [parse_json(line, f"{path}, line {number}") for number, line in lines if line.strip()]
    wrong = next((number for number, row in enumerate(found, start=1) if not isinstance(row, dict)), None)
    if wrong is not None:
        raise DataError(f"{path}, row {wrong}: expected an object, found {type(found[wrong - 1]).__name__}")
    return list(found)


def of_language(rows: list[Row], spec: RowsSpec, language: Language, where: str) -> list[Row]:
    """The rows in one language, where a set keeps all in one table and a column says which a row is in.

    The same rule for every source. A row without a value in that column is in the language of its folder.

    Raises:
        DataError: none of the rows is in the language; names those that are there.
    """
    column = spec.language_column
    if column is None:
        return rows
    codes = language.codes.get(spec.codes or spec.rows, ())
    wanted = {None, language.code, *((codes,) if isinstance(codes, str) else codes)}
    kept = [row for row in rows if row.get(column) in wanted]
    if rows and not kept:
        others = sorted({str(row.get(column)) for row in rows})
        raise DataError(
            f"{where}: no row is in {language.name}; column '{column}' has {', '.join(others[:20])}",
            f"Rows in {language.name} have one of {', '.join(sorted(filter(None, wanted)))} there.",
        )
    return kept


def _with_ways_around(error: UnavailableError) -> UnavailableError:
    around = (
        "Or give the rows in a local folder (``data=DIR``, made by `lensbench data import`), or use ``data=embedded`` for the "
        "demonstration set."
    )
    error.hint = f"{error.hint}\n  {around}" if error.hint else around
    return error


def _finish(rows: list[Row], spec: RowsSpec, where: str, language: Language, *, expected: int | None, **origin: Any) -> Rows:
    if not rows:
        raise DataError(f"{where}: no rows")
    rows = of_language(rows, spec, language, where)
    if spec.adapts and origin["kind"] == EMBEDDED:
        raise DataError(f"{where}: embedded rows must be in their task's own format")
    check_rows(rows, spec, where)
    digest = hashlib.sha256(canonical_json(rows).encode("utf-8", "surrogatepass")).hexdigest()
    shaped = [spec.adapt(row) for row in rows] if spec.adapts else rows
    return Rows(shaped, Origin(digest=digest, rows=len(rows), expected_rows=expected, **origin))


def _read_manifest(folder: Path) -> dict[str, JsonObject]:
    path = folder / MANIFEST
    if not path.is_file():
        return {}
    try:
        found = {entry["path"]: entry for entry in read_json_file(path)["files"]}
        if not all(isinstance(key, str) for key in found):
            raise ValueError("a path that is no text")
        return found
    except (DataError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: not a data manifest ({error})", "Make the folder again with `lensbench data import`.") from None


def _read_parquet(path: Path) -> list[Row]:
    import pyarrow
    import pyarrow.parquet

    from lensbench.datasets.plain import plain_rows

    try:
        table = pyarrow.parquet.read_table(path)
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise DataError(f"{path}: not a readable parquet file ({error})") from None
    return plain_rows(table, str(path))


def read_jsonl(path: Path) -> list[Row]:
    """The objects of a file, one a line.

    Raises:
        DataError: a line is not a JSON object in UTF-8; says which.
    """
    return [row for _, row in read_json_lines(path)]

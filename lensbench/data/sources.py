"""The places rows can come from, and which of them a run uses.

A local data folder is laid out as `FOLDER/<rows>/<the data set's own language code>/<split>.parquet` (or `.jsonl`), with a
`manifest.json` when `lensbench data import` made it. The embedded set has the same layout inside the package.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from lensbench.data.rows import RowsSpec, canonical_json, check_rows
from lensbench.errors import DataError, LensbenchError, UnavailableError, UsageError
from lensbench.jsonio import read_json_lines
from lensbench.languages import Language

__all__ = ["EMBEDDED", "DataSource", "Folder", "Hub", "Origin", "Rows", "open_data", "read_jsonl"]

EMBEDDED = "embedded"
"""The word that `--data` takes for the embedded set."""

EMBEDDED_NAME = "lensbench-mini"
EMBEDDED_WARNING = "written by a model, unreviewed; a demonstration, not a benchmark"
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Origin:
    """Where rows came from, as it stands in the results."""

    kind: str
    """"hub", "local" or "embedded"."""
    name: str
    revision: str | None
    digest: str
    """SHA-256 over the canonical JSON of all rows."""
    rows: int
    expected_rows: int | None
    stand_in: str | None = None
    """What these rows are when they are not the data set they stand for."""
    warning: str | None = None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Rows:
    """The rows of one data set, language and split, checked, in the shape the tasks read."""

    rows: list[dict[str, Any]]
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
        """The file that holds a split, looked for under the data set's own code and then the canonical one."""
        for code in dict.fromkeys((spec.config_of(language), language.code)):
            for ending in ("parquet", "jsonl"):
                path = self.path / spec.rows / str(code) / f"{split}.{ending}"
                if code and path.is_file():
                    return path
        return None

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
                f"{path} is not the file that was imported: its SHA-256 differs from {MANIFEST}",
                "Import it again, or delete its entry from the manifest if the change is yours.",
            )
        rows = _read_parquet(path) if path.suffix == ".parquet" else read_jsonl(path)
        if self.kind == EMBEDDED:
            name, revision, warning, expected = EMBEDDED_NAME, None, EMBEDDED_WARNING, None
        else:
            name, revision, warning, expected = str(self.path), None, None, spec.splits.get(split)
        return _finish(
            rows, spec, str(path), kind=self.kind, name=name, revision=revision, expected=expected,
            stand_in=entry.get("stand_in"), warning=warning,
        )  # fmt: skip


class Hub:
    """The Hugging Face hub, at a commit. Only data files are read; loading scripts never run."""

    def describe(self) -> str:
        return "the hub"

    def has(self, spec: RowsSpec, language: Language, split: str) -> bool:
        return spec.on_hub(language) and split in spec.splits

    def load(self, spec: RowsSpec, language: Language, split: str, revision: str | None = None) -> Rows:
        config = spec.config_of(language)
        hub_split = spec.hub_splits.get(split, split)
        wanted = f"{spec.hub} (config {config}, split {hub_split})"
        if not self.has(spec, language, split):
            raise UnavailableError(f"the hub has no {spec.rows} rows in {language.name}", spec.note)
        try:
            import datasets
            from huggingface_hub import HfApi

            sha = revision or HfApi().dataset_info(spec.hub, revision=spec.revision, timeout=20).sha
            name = None if spec.single_config else config
            table = datasets.load_dataset(spec.hub, name, split=hub_split, revision=sha)
        except ImportError as error:
            raise UnavailableError(f"the package '{error.name}' is missing", "pip install 'lensbench[engines]'") from None
        except Exception as error:
            raise hub_unavailable(wanted, error) from None
        if spec.language_column:
            column = spec.language_column
            codes = language.codes.get(spec.codes or spec.rows, ())
            codes = (codes,) if isinstance(codes, str) else codes
            table = table.filter(lambda row: row[column] in codes)
        return _finish(
            table.to_list(), spec, wanted, kind="hub", name=str(spec.hub), revision=sha, expected=spec.splits.get(split)
        )


class Chain:
    """A local folder first, the hub for what it lacks. Each Rows says which of the two it was."""

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
    """What `--data` (else LENSBENCH_DATA) names: `embedded`, a folder backed by the hub, or the hub alone.

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
        raise UsageError(f"no data folder at {path}", f"Give a folder, or '--data {EMBEDDED}' for the embedded set.")
    return Chain([Folder(path), Hub()])


def hub_unavailable(wanted: str, error: Exception) -> LensbenchError:
    """What the hub's failure means for the user: not there, gated, or out of reach; and the two ways around it."""
    name = type(error).__name__
    detail = str(error).strip().splitlines()[0][:200] if str(error).strip() else name
    if "Gated" in name or " 401" in detail or " 403" in detail:
        reason = "access is gated: accept its terms on the hub and set HF_TOKEN"
    elif "NotFound" in name:
        reason = f"the hub says it is not there ({detail})"
    else:
        reason = f"the hub could not be reached ({name}: {detail})"
    return UnavailableError(
        f"could not get {wanted}: {reason}",
        "Give the rows in a local folder (--data DIR, made by `lensbench data import`), or use --data embedded for the "
        "demonstration set.",
    )


def _finish(rows: list[dict[str, Any]], spec: RowsSpec, where: str, *, expected: int | None, **origin: Any) -> Rows:
    if not rows:
        raise DataError(f"{where}: no rows")
    if spec.adapts and origin["kind"] == EMBEDDED:
        raise DataError(f"{where}: embedded rows must be in their task's own shape")
    check_rows(rows, spec, where)
    digest = hashlib.sha256(canonical_json(rows).encode("utf-8", "surrogatepass")).hexdigest()
    shaped = [spec.adapt(row) for row in rows] if spec.adapts else rows
    return Rows(shaped, Origin(digest=digest, rows=len(rows), expected_rows=expected, **origin))


def _read_manifest(folder: Path) -> dict[str, dict[str, Any]]:
    path = folder / MANIFEST
    if not path.is_file():
        return {}
    try:
        return {entry["path"]: entry for entry in json.loads(path.read_text(encoding="utf-8"))["files"]}
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: not a data manifest ({error})", "Make the folder anew with `lensbench data import`.") from None


def _read_parquet(path: Path) -> list[dict[str, Any]]:
    import pyarrow
    import pyarrow.parquet

    from lensbench.data.plain import plain_rows

    try:
        table = pyarrow.parquet.read_table(path)
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise DataError(f"{path}: not a readable parquet file ({error})") from None
    return plain_rows(table, str(path))


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    """The objects of a file, one a line.

    Raises:
        DataError: a line is not a JSON object in UTF-8; says which.
    """
    return [row for _, row in read_json_lines(path)]

"""Parquet files and the manifest, each written whole or not at all."""

from __future__ import annotations

import io
import os
from pathlib import Path

from lensbench.datasets.importing.report import ImportedFile
from lensbench.datasets.rows import Row, RowsSpec
from lensbench.errors import DataError, RunError
from lensbench.jsonio import JsonObject, json_text, read_json_file

__all__ = ["Manifest", "parquet_bytes", "write_atomically"]

MANIFEST_VERSION = 1


def parquet_bytes(records: list[Row], spec: RowsSpec, where: str) -> bytes:
    """The rows as a parquet file with the columns of the definition; an optional one that no row has is left out.

    Equal rows give equal bytes under the same version of pyarrow, which signs the file with its version.

    Raises:
        DataError: a value that parquet cannot hold, such as half of a surrogate pair; names the column.
    """
    import pyarrow
    import pyarrow.parquet

    types = {
        "str": pyarrow.string(),
        "text": pyarrow.string(),
        "int": pyarrow.int64(),
        "bool": pyarrow.bool_(),
        "list": pyarrow.list_(pyarrow.string()),
    }
    arrays = {}
    for name, column in spec.columns.items():
        values = [row.get(name) for row in records]
        if column.optional and all(value is None for value in values):
            continue
        try:
            arrays[name] = pyarrow.array(values, types[column.type])
        except (pyarrow.ArrowException, UnicodeError, OverflowError) as error:
            raise DataError(f"{where}, column '{name}': cannot be stored ({error})") from None
    stream = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(arrays), stream, compression="snappy")
    return stream.getvalue()


def write_atomically(path: Path, content: bytes) -> None:
    """Write to a temporary file, then rename it: a reader sees the old file or the new one.

    Raises:
        RunError: the disk refuses; the old file stays.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_bytes(content)
        beside.replace(path)
    except OSError as error:
        raise RunError(f"could not write {path}: {error.strerror or error}") from None
    finally:
        beside.unlink(missing_ok=True)


class Manifest:
    """`manifest.json` of a data folder: an entry per parquet file, those of earlier imports included."""

    def __init__(self, folder: Path) -> None:
        """Read what is there.

        Raises:
            DataError: the file is not a manifest of this version.
        """
        self.path = folder / "manifest.json"
        self._entries: dict[str, JsonObject] = {}
        if not self.path.is_file():
            return
        try:
            data = read_json_file(self.path)
            if data["lensbench_data"] != MANIFEST_VERSION:
                raise ValueError(f"version {data['lensbench_data']!r}, expected {MANIFEST_VERSION}")
            self._entries = {str(entry["path"]): dict(entry) for entry in data["files"]}
        except (ValueError, KeyError, TypeError, DataError) as error:
            raise DataError(
                f"{self.path}: not a data manifest ({error})", "Import into another folder, or move this file away."
            ) from None

    def entry(self, path: str) -> JsonObject | None:
        """The manifest's entry for a file of this path."""
        return self._entries.get(path)

    def put(self, entry: ImportedFile, replaced: JsonObject | None = None) -> None:
        """Add an entry, or replace that of the same path, and write the manifest.

        Args:
            replaced: What the manifest said of the file whose place this one takes; kept, with what that one had replaced.
        """
        known = self._entries.get(entry.path, {}).get("replaced")
        earlier = list(known) if isinstance(known, list) else []
        if replaced is not None:
            earlier.append({name: value for name, value in replaced.items() if name != "replaced"})
        self._entries[entry.path] = entry.as_dict() | ({"replaced": earlier} if earlier else {})
        data = {"lensbench_data": MANIFEST_VERSION, "files": [self._entries[path] for path in sorted(self._entries)]}
        write_atomically(self.path, (json_text(data, indent=1) + "\n").encode())

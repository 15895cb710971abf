"""Results of an import, for the caller and for the manifest."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from lensbench.datasets.importing.problems import Problem
from lensbench.jsonio import JsonObject

__all__ = ["ImportReport", "ImportedFile", "SkippedFile"]


@dataclass(frozen=True)
class ImportedFile:
    """One parquet file that was written; also its entry in the manifest."""

    path: str
    """Path relative to the data folder."""
    rows: str
    """Name of the row definition."""
    language: str
    """Canonical code; the folder bears the data set's own."""
    split: str
    n: int
    """Rows written."""
    sha256: str
    """SHA-256 of the parquet file."""
    source: tuple[str, ...]
    """Original files, relative to the folder that was imported."""
    source_sha256: tuple[str, ...]
    """One per original file, in the same order."""
    licence: str
    """Licence of the original files; it can differ from that of the hub's set."""
    stand_in: str | None
    """Description of the rows, if they replace another data set."""
    notes: tuple[str, ...]
    """Notes on what was found, repaired or left out, with counts."""
    warnings: tuple[str, ...] = ()
    """What to look into before the rows are used: a length other than the release's, a last line without an end."""
    left_out: tuple[str, ...] = ()
    """Rows and files that were wrong and are therefore missing here."""

    def as_dict(self) -> JsonObject:
        """The last two only where there are any."""
        found = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}
        return {name: value for name, value in found.items() if value or name not in ("warnings", "left_out")}


@dataclass(frozen=True)
class SkippedFile:
    """A file that was read no further, and why."""

    path: str
    reason: str


@dataclass(frozen=True)
class ImportReport:
    """The whole of an import."""

    target: Path
    files: tuple[ImportedFile, ...]
    skipped: tuple[SkippedFile, ...]
    notes: tuple[str, ...]
    """What concerns no single written file, such as rows in languages the table does not have."""
    problems: tuple[Problem, ...] = ()
    """What was wrong: rows and files that were left out, files that were not written. None in a strict import, which stops."""
    warnings: tuple[str, ...] = ()
    """Warnings about several files together."""

    def as_dict(self) -> JsonObject:
        """All of it, as JSON can hold it."""
        return {
            "target": str(self.target),
            "files": [file.as_dict() for file in self.files],
            "skipped": [asdict(file) for file in self.skipped],
            "notes": list(self.notes),
            "warnings": list(self.warnings),
            "problems": [problem.as_dict() for problem in self.problems],
        }

"""Converted splits on their way into the data folder: several of one place are joined or chosen from, none overwrites unasked."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lensbench.datasets.importing.checks import ASK, out_of_step, repeated_from, source_items, warnings_of
from lensbench.datasets.importing.model import Context, Split
from lensbench.datasets.importing.problems import Problems
from lensbench.datasets.importing.report import ImportedFile
from lensbench.datasets.importing.writing import Manifest, parquet_bytes, write_atomically
from lensbench.datasets.rows import Row, canonical_json, check_rows, load_rows_spec
from lensbench.errors import DataError, RunError, UsageError
from lensbench.safenames import inside

__all__ = ["Stage"]


@dataclass(frozen=True)
class _Candidate:
    entry: ImportedFile
    file: Path
    """Its parquet file, in the staging folder."""
    items: frozenset[Any] | None
    rank: int
    preferred: bool

    @property
    def names(self) -> str:
        return self.entry.source[0] + (f" and {len(self.entry.source) - 1} more" if len(self.entry.source) > 1 else "")


class Stage:
    """Holds what was converted until the whole source was read. A context manager: its folder is gone afterwards."""

    def __init__(self, target: Path, context: Context, problems: Problems) -> None:
        self._target, self._context, self._problems = target, context, problems
        self._candidates: dict[str, list[_Candidate]] = {}
        self._folder: Path | None = None
        self._n = 0

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, *error: object) -> None:
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def add(self, split: Split) -> None:
        """Check a split and keep it.

        Raises:
            DataError: rows that cannot be stored, a file that holds itself twice, or a name that cannot be part of a path.
            RunError: the target cannot be written.
        """
        try:
            path = split.path
        except UsageError as error:
            raise DataError(error.message, error.hint) from None
        spec = load_rows_spec(split.rows)
        where = str(split.originals[0]) if len(split.originals) == 1 else path
        again = repeated_from(split.records, numbered=split.numbered)
        if again:
            raise DataError(f"{where}: from row {again + 1} on it repeats its own beginning: the file has its content twice")
        check_rows(split.records, spec, where)
        content = parquet_bytes(split.records, spec, where)
        entry = ImportedFile(
            path=path,
            rows=split.rows,
            language=split.language.code,
            split=split.split,
            n=len(split.records),
            sha256=hashlib.sha256(content).hexdigest(),
            source=tuple(original.name for original in split.originals),
            source_sha256=tuple(original.sha256 for original in split.originals),
            licence=split.licence,
            stand_in=split.stand_in,
            notes=split.notes,
            warnings=tuple(warnings_of(split)),
        )
        self._n += 1
        file = self._own_folder() / f"{self._n}.parquet"
        try:
            file.write_bytes(content)
        except OSError as error:
            raise RunError(f"could not write {file}: {error.strerror or error}") from None
        preferred = self._context.preferred(split.originals)
        self._candidates.setdefault(path, []).append(_Candidate(entry, file, source_items(split), split.rank, preferred))

    def _own_folder(self) -> Path:
        if self._folder is None:
            try:
                self._target.mkdir(parents=True, exist_ok=True)
                self._folder = Path(tempfile.mkdtemp(prefix=".importing-", dir=self._target))
            except OSError as error:
                raise RunError(f"could not write {self._target}: {error.strerror or error}") from None
        return self._folder

    def commit(self, manifest: Manifest, *, overwrite: bool) -> tuple[list[ImportedFile], list[str]]:
        """Put the files into the data folder and the manifest; what cannot be put there is a problem.

        Returns:
            The entries of what is there now, and warnings on several of them together.

        Raises:
            RunError: the target cannot be written.
        """
        entries = []
        steps: dict[tuple[str, str], dict[str, frozenset[Any]]] = {}
        for path, candidates in self._candidates.items():
            with self._problems.whole(path):
                taken = _one_of(path, candidates, self._context)
                entry = replace(taken.entry, left_out=self._left_out(taken.entry))
                self._put(entry, taken.file, manifest, overwrite)
                entries.append(entry)
                # MT-Bench's sets have ids of their own, which the notes on each say.
                if taken.items is not None and entry.rows != "mt_bench":
                    steps.setdefault((entry.rows, entry.split), {})[entry.language] = taken.items
        self._candidates = {}
        found = {key: out_of_step(items) for key, items in steps.items()}
        return entries, [f"{rows}, split {split}: {words}" for (rows, split), words in found.items() if words]

    def _left_out(self, entry: ImportedFile) -> tuple[str, ...]:
        """Parts of the originals that are missing because they were wrong."""
        words = []
        for name in entry.source:
            lines = self._problems.rows_of(name)
            if lines:
                shown = ", ".join(map(str, lines[:10])) + (" ..." if len(lines) > 10 else "")
                words.append(f"{len(lines)} wrong rows of {name} left out (line {shown})")
            words += [
                f"{name} could not be used as a whole"
                for problem in self._problems.found
                if problem.path == name and problem.line is None
            ]
        return tuple(words)

    def _put(self, entry: ImportedFile, file: Path, manifest: Manifest, overwrite: bool) -> None:
        try:
            place = inside(self._target, self._target / entry.path)
        except UsageError as error:
            raise DataError(error.message, "A link in the data folder leads elsewhere; nothing was written there.") from None
        content = file.read_bytes()
        earlier = _there(place)
        replaced = None
        if earlier is not None and earlier != content and not _same_rows(place, file):
            known = manifest.entry(entry.path)
            if not overwrite:
                n = f"{known.get('n')} rows from {known.get('source')}" if known else "a file that no import wrote"
                raise DataError(
                    f"{entry.path} already exists with other rows ({n}); {entry.n} from {entry.source[0]} were not written",
                    "Pass ``replace`` to replace it, or import into another folder.",
                )
            replaced = known or {"path": entry.path, "sha256": hashlib.sha256(earlier).hexdigest()}
        write_atomically(self._target / entry.path, content)
        manifest.put(entry, replaced)
        for beside in _shadowed(self._target, entry):
            self._context.note(f"! {beside} lies in the data folder too and is not read while {entry.path} is there")


def _there(place: Path) -> bytes | None:
    try:
        return place.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DataError(f"{place}: something is there that could not be read ({error.strerror or error})") from None


def _shadowed(target: Path, entry: ImportedFile) -> list[str]:
    """Files of the same split that the data folder would give, if this one were not there."""
    own = target / entry.path
    canonical = target / entry.rows / entry.language / entry.split
    places = (
        own.with_suffix(".jsonl"),
        canonical.with_name(f"{entry.split}.parquet"),
        canonical.with_name(f"{entry.split}.jsonl"),
    )
    return [str(place.relative_to(target)) for place in dict.fromkeys(places) if place != own and place.is_file()]


def _rows(file: Path) -> list[Row]:
    import pyarrow.parquet

    return list(pyarrow.parquet.read_table(file).to_pylist())


def _same_rows(there: Path, file: Path) -> bool:
    """Another version of pyarrow writes the same rows as other bytes."""
    import pyarrow

    try:
        return _rows(there) == _rows(file)
    except (pyarrow.ArrowException, OSError):
        return False


def _one_of(path: str, candidates: list[_Candidate], context: Context) -> _Candidate:
    """The split that is taken where several would become one file: a preferred one, equal ones as one, the first by the format's
    rule, the one that holds all rows of the others.

    Raises:
        DataError: none of these says which.
    """
    preferred = [each for each in candidates if each.preferred]
    rest = preferred or candidates
    first = min(rest, key=lambda each: each.rank)
    others = [each for each in candidates if each is not first]
    rivals = [each for each in rest if each is not first and each.entry.sha256 != first.entry.sha256 and each.rank == first.rank]
    if rivals:
        rows = {id(each): {canonical_json(row) for row in _rows(each.file)} for each in [first, *rivals]}
        first = max([first, *rivals], key=lambda each: len(rows[id(each)]))
        others = [each for each in candidates if each is not first]
        if not all(rows[id(each)] <= rows[id(first)] for each in rivals if each is not first and id(each) in rows):
            listed = "; ".join(f"{each.names} ({each.entry.n} rows)" for each in rest)
            raise DataError(f"{listed} would both become {path} and hold different rows; none was written", ASK)
    for each in others:
        equal = each.entry.sha256 == first.entry.sha256
        words = f"the same rows as {first.names}" if equal else f"left out, {first.entry.n} rows are taken from {first.names}"
        context.note(f"{each.names} ({each.entry.n} rows for {path}): {words}")
    return first

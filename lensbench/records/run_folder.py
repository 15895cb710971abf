"""A run's folder on disk.

::

    RUN/
      run.json             the resolved spec, and the hub commits it was begun with
      run.yaml             the choices of its last start, from which it can be repeated
      provenance.json      one entry per start: git, packages, hardware, model and data digests
      enhancements/lens/   delta.safetensors, subspaces.safetensors, card.json, README.md
      items/score.jsonl    one line per item and variant: log-likelihoods
      items/answers.jsonl  one line per question, turn and variant: the answer
      items/identified.jsonl   one line per conversation and identifier: the language of its answers
      items/verdicts.jsonl     one line per grading: what the judge replied, and the rating read from it
      counts.json          how many records each of these files had when results were last made
      results.json         cells; recomputed from the items at any time
      results.check.json   digests of it and of what it was made from: one that was edited is made again
      lm_eval/VARIANT/     the same scores in lm-eval's own files: results_DATE.json, samples_TASK_LANGUAGE_DATE.jsonl
      report.md            the table, sample answers and provenance for a reader
"""

from __future__ import annotations

import fcntl
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pydantic import ValidationError

from lensbench.errors import DataError, RunError, UsageError
from lensbench.jsonio import JsonObject, json_text, read_json_file
from lensbench.records.damage import Damage, read_leniently
from lensbench.records.log import RecordLog, not_a_record, read_objects, write_failed
from lensbench.records.reader import RECORDS, NotARecord, reader_of
from lensbench.records.shapes import wrong_shape
from lensbench.records.types import Record
from lensbench.safenames import checked_name, folder_name, inside, is_safe_name
from lensbench.spec import RunSpec, differences

__all__ = ["STAGES", "Place", "RunFolder", "write_atomically"]

_SPEC = "run.json"
_LOCK = ".lock"

STAGES = tuple(RECORDS)
"""The files of records, in the order in which they are made."""


class Place(NamedTuple):
    """Task, language, variant and grader of a record."""

    variant: str
    """Name of the variant; "" for a question."""
    task: str
    language: str
    grader: str
    """Identifier or judge; "" if there is none."""


R = TypeVar("R", bound=Record)


class RunFolder:
    """The folder of one run.

    Args:
        lenient: Leave damaged lines of item files out and note them, instead of stopping at the first: to show a run, not to go
            on with it.
    """

    def __init__(self, path: Path, *, lenient: bool = False) -> None:
        self.path = path
        self._lenient = lenient
        self._damage: dict[str, Damage] = {}
        self._counts: dict[str, tuple[int, Counter[Place]]] = {}

    @property
    def damage(self) -> list[Damage]:
        """Lines that were left out of the item files read so far."""
        return [damage for damage in self._damage.values() if damage]

    @classmethod
    def existing(cls, path: Path, *, lenient: bool = False) -> RunFolder:
        """A folder that holds a run.

        Raises:
            UsageError: there is none at this path.
        """
        if not (path / _SPEC).is_file():
            groups = (
                sorted(str(found.parent) for found in path.glob(f"*/{_SPEC}")) if (path / "experiment.json").is_file() else []
            )
            if groups:
                raise UsageError(f"{path} holds the runs of several backbones", f"Name one of them: {', '.join(groups)}")
            raise UsageError(f"no run at {path}", "A run folder holds a run.json.")
        return cls(path, lenient=lenient)

    def begin(self, spec: RunSpec) -> None:
        """Claim the folder for a spec, or check that it holds a run with the same one.

        A run that has finished nothing yet gives way to another spec.

        Raises:
            UsageError: the folder holds a run with another spec (the difference is shown), or something that is not a run.
        """
        wanted = spec.model_dump(mode="json")
        if (self.path / _SPEC).is_file():
            content = self.read_json(_SPEC)
            before = content.get("spec") if isinstance(content, dict) else None
            # One that no version can read is told as such.
            lines = differences(before if isinstance(before, dict) else self.spec().model_dump(mode="json"), wanted)
            if lines and not self.has_work():
                self.write_json(_SPEC, {"spec": wanted, "pinned": {}})
            elif lines:
                raise UsageError(
                    f"{self.path} holds a run with another spec:\n" + "\n".join(f"    {line}" for line in lines),
                    "Give another ``out``, or the same options as before.",
                )
            return
        if self.path.is_dir() and any(p.name != _LOCK for p in self.path.iterdir()):
            raise UsageError(f"{self.path} is not empty and holds no run", "Give another ``out``.")
        self.write_json(_SPEC, {"spec": wanted, "pinned": {}})

    def has_work(self) -> bool:
        """Whether the run finished anything. A start that failed earlier leaves nothing that must be kept."""
        return any(p.is_file() for name in ("enhancements", "items") for p in (self.path / name).rglob("*"))

    def spec(self) -> RunSpec:
        """The spec of the run.

        Raises:
            RunError: another version of lensbench wrote it in a form that is not known here.
        """
        content = self.read_json(_SPEC)
        try:
            return RunSpec.model_validate(content["spec"])
        except (KeyError, TypeError, ValidationError) as error:
            spec = content.get("spec") if isinstance(content, dict) else None
            writer = spec.get("lensbench", "unknown") if isinstance(spec, dict) else "unknown"
            fields = [".".join(map(str, e["loc"])) for e in error.errors()] if isinstance(error, ValidationError) else ["spec"]
            raise RunError(
                f"{self.path / _SPEC}: {', '.join(fields[:5])} cannot be read by this version; version {writer} of lensbench "
                "wrote it",
                "Show it with that version, or repeat the run with this one.",
            ) from None

    def pinned(self) -> dict[str, str]:
        """Hub commits by name, as resolved when the run began."""
        content = self.read_json(_SPEC)
        pinned = content.get("pinned") if isinstance(content, dict) else None
        if not isinstance(pinned, dict) or not all(isinstance(commit, str) for commit in pinned.values()):
            raise RunError(f"{self.path / _SPEC}: it does not say what the run began with", "Give another ``out``.")
        return pinned

    def pin(self, pinned: dict[str, str]) -> None:
        before = self.pinned()
        if before != {**before, **pinned}:
            self.write_json(_SPEC, {**self.read_json(_SPEC), "pinned": {**before, **pinned}})

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Lock the run, so that no second process works on it.

        Raises:
            RunError: another process is working on this run.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            stream = self.own(_LOCK).open("a")
        except OSError as error:
            raise write_failed(self.path, error) from None
        with stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise RunError(f"another process is working on {self.path}", "Wait for it, or stop it.") from None
            yield

    def log_path(self, stage: str) -> Path:
        return self.own(Path("items") / f"{stage}.jsonl")

    def own(self, name: str | Path) -> Path:
        """A path in this folder.

        Raises:
            UsageError: a link on the way leads outside the folder, which may be a stranger's.
        """
        return inside(self.path, self.path / name)

    def log(self, stage: str) -> RecordLog:
        return RecordLog(self.log_path(stage))

    def records(self, kind: type[R]) -> Iterator[R]:
        """The records of one kind, in the order in which they were written.

        Raises:
            RunError: a line is no such record; names file, line and field. A lenient folder notes it and goes on.
        """
        stage = kind.STAGE
        path = self.log_path(stage)
        if not self._lenient:
            return self._counted(stage, _fitting(kind, path))
        # Noted anew by every reading.
        damage = self._damage[stage] = Damage(path.name)
        return self._counted(stage, read_leniently(kind, path, damage))

    def counts(self, stage: str) -> Counter[Place]:
        """Number of records of a stage by place."""
        known = self._counts.get(stage)
        if known is None or known[0] != _size(self.log_path(stage)):
            for _ in self.records(RECORDS[stage]):
                pass
        return self._counts[stage][1]

    def _counted(self, stage: str, records: Iterator[R]) -> Iterator[R]:
        """The records; what they are of is counted on the way, since reading them is what takes the time."""
        size, found = _size(self.log_path(stage)), Counter[tuple[str, ...]]()
        names = RECORDS[stage].PLACE
        place_of = attrgetter(*names)
        for record in records:
            found[place_of(record)] += 1
            yield record
        self._counts[stage] = (size, Counter({_place(names, values): n for values, n in found.items()}))

    def has_records(self, stage: str) -> bool:
        return self.log_path(stage).is_file()

    def enhancement(self, variant: str) -> Path:
        """
        Raises:
            UsageError: the variant's name cannot be that of a folder, or a link leads outside this one.
        """
        return self.own(Path("enhancements") / checked_name(folder_name(variant), "variant", str(self.path)))

    def card(self, variant: str) -> JsonObject | None:
        """The card that a fit wrote; None for a variant without one, including a variant whose name cannot be a folder's.

        Raises:
            RunError: it cannot be read.
        """
        if not is_safe_name(folder_name(variant)):
            return None
        name = f"enhancements/{folder_name(variant)}/card.json"
        return dict(self.read_json(name)) if self.has(name) else None

    def has(self, name: str) -> bool:
        return (self.path / name).is_file()

    def read_json(self, name: str) -> Any:
        path = self.path / name
        if not path.exists():
            raise UsageError(f"{path}: no such file", "The run has not reached this stage. Run its command again.")
        try:
            content = read_json_file(self.own(name))
        except DataError as error:
            reason = error.message.removeprefix(str(path)).lstrip(":, ")
            raise RunError(f"{path}: not readable as JSON ({reason})", error.hint) from None
        wrong = wrong_shape(name, content)
        if wrong is not None:
            raise RunError(f"{path}: {wrong}", "The file is not in lensbench's format. Repeat the run, or copy the file again.")
        return content

    def write_json(self, name: str, content: Any) -> None:
        write_atomically(self.own(name), json_text(content, indent=1) + "\n")


def _place(names: tuple[str, ...], values: tuple[str, ...]) -> Place:
    told = dict(zip(names, values, strict=True))
    return Place(told.get("variant", ""), told["task"], told["language"], told.get("identifier") or told.get("judge") or "")


def _fitting(kind: type[R], path: Path) -> Iterator[R]:
    """
    Raises:
        RunError: a line is no record of its kind.
    """
    read = reader_of(kind)
    for number, value in read_objects(path):
        try:
            yield read(value)
        except NotARecord as error:
            raise not_a_record(path, number, error.message) from None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def write_atomically(path: Path, text: str) -> None:
    """Write to a temporary file, then rename it: a reader never sees half a file.

    Raises:
        RunError: the disk is full, or the file cannot be written; the old file is still there.
    """
    partial = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # A link of this name would be followed, out of the folder as well.
        partial.unlink(missing_ok=True)
        with partial.open("x", encoding="utf-8", errors="surrogatepass") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink()
        raise write_failed(path, error) from None

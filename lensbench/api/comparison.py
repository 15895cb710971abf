"""Two runs item by item."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lensbench.api.arguments import a_path
from lensbench.api.rendering import Block, TextTable, View, damage_notes, missing_lines
from lensbench.errors import RunError, UnavailableError, UsageError
from lensbench.jsonio import JsonObject

if TYPE_CHECKING:
    import pandas

    from lensbench.numbers.compare import Comparison as Compared
    from lensbench.numbers.compare import NotCompared
    from lensbench.records import RunFolder
    from lensbench.records.missing import MissingRecords

__all__ = ["ComparedRun", "Comparison", "compare", "run_folder"]


@dataclass(frozen=True)
class ComparedRun:
    """One of two runs.

    Attributes:
        finished: Whether results are stored and nothing that was planned or noted is missing.
        missing: Places that have fewer records than they should.
    """

    path: str
    backbone: str
    backbone_digest: str
    dtype: str | None
    variants: Sequence[str]
    finished: bool
    missing: Sequence[MissingRecords]

    def as_dict(self) -> JsonObject:
        return asdict(self)


class Comparison:
    """What two runs asked in the same way, number by number, and what cannot be compared.

    Attributes:
        runs: What is known of both.
    """

    def __init__(self, folders: tuple[RunFolder, RunFolder], found: Compared) -> None:
        self.runs = tuple(_about(folder) for folder in folders)
        self._found = found
        self._damage = [note for folder in folders for note in damage_notes(folder)]

    @cached_property
    def cells(self) -> pandas.DataFrame:
        """One row per number: values of both, `delta` (the second less the first), interval, p.

        Raises:
            UnavailableError: pandas is not installed.
        """
        try:
            import pandas
        except ImportError:
            raise UnavailableError("frames need pandas, which is not installed", "pip install 'lensbench[report]'") from None
        return pandas.DataFrame([asdict(cell) for cell in self._found.cells])

    @property
    def not_compared(self) -> list[NotCompared]:
        """What cannot be compared, each with its reason."""
        return list(self._found.gaps)

    def view(self) -> View:
        """The runs, the table and the notes."""
        from lensbench.reporting.text.comparison import COMPARISON_HEADER, comparison_notes, comparison_rows

        blocks: list[Block] = [
            f"{letter}: {run.path} on {run.backbone}, {run.dtype}{'' if run.finished else '; unfinished'}"
            for letter, run in zip("AB", self.runs, strict=True)
        ]
        if self._found.cells:
            blocks.append(TextTable(COMPARISON_HEADER, comparison_rows(self._found.cells)))
        return View([*blocks, *comparison_notes(self._found)])

    def warnings(self) -> list[str]:
        """Records of both runs that are missing, and lines that could not be read."""
        pairs = zip("AB", self.runs, strict=True)
        missing = [f"{note[:2]}{letter}: {note[2:]}" for letter, run in pairs for note in missing_lines(run.missing)]
        return [*missing, *self._damage]

    def check(self) -> None:
        """
        Raises:
            RunError: nothing could be compared.
        """
        if not self._found.cells:
            raise RunError("nothing in these two runs can be compared", "The reasons are listed with what could not be compared.")

    def as_dict(self) -> JsonObject:
        return {"run_a": self.runs[0].as_dict(), "run_b": self.runs[1].as_dict(), **self._found.as_dict()}

    def _repr_html_(self) -> str:
        return self.view()._repr_html_()


def compare(run: Any, other: Any, *, variant: str | None = None, with_variant: str | None = None) -> Comparison:
    """Compare two runs item by item, where both asked the same rows in the same way. Differences are `other` less `run`.

    Args:
        run: A `Run`, a run folder, or results of lm-evaluation-harness.
        other: Likewise; the same run twice compares two of its variants.
        variant: Variant of `run`; None takes every name that both have.
        with_variant: Variant of `other`; None takes the same name.

    Raises:
        UsageError: no run, or an unknown variant (with the nearest).
    """
    from lensbench.numbers.compare import compare as compare_folders

    folders = (run_folder(run), run_folder(other))
    return Comparison(folders, compare_folders(*folders, variant, with_variant))


def run_folder(run: Any) -> RunFolder:
    """A run to read, be it an object, a folder, or results of lm-evaluation-harness.

    Raises:
        UsageError: there is none.
    """
    from lensbench.records import RunFolder

    found = run_paths([run])
    if len(found) > 1:
        raise UsageError(
            f"{a_path('run', getattr(run, 'folder', run))} holds the runs of {len(found)} backbones",
            f"Name one of them: {', '.join(map(str, found))}",
        )
    return RunFolder.existing(found[0], lenient=True)


def run_paths(runs: Any) -> list[Path]:
    """Folders of runs: an experiment stands for its groups, and results of lm-evaluation-harness are read as one run.

    Raises:
        UsageError: an experiment of which no run has numbers.
    """
    from lensbench.interop.lm_eval.as_runs import as_runs
    from lensbench.records.experiment import begun_groups, read_groups

    found: list[Path] = []
    for path in (a_path("run", getattr(run, "folder", run)) for run in runs):
        groups = read_groups(path)
        begun = [path] if groups is None else begun_groups(path, groups)
        if not begun:
            raise UsageError(
                f"{path} has no numbers yet: none of its runs has begun to score", "Give its command again to go on."
            )
        found += begun
    return as_runs(found)


def groups_without_numbers(runs: Any) -> list[str]:
    """Warnings: backbones of experiments that no view can show yet."""
    from lensbench.records.experiment import read_groups

    homes = [a_path("run", getattr(run, "folder", run)) for run in runs]
    return [
        f"! {home / group.folder}: backbone '{group.backbone}' has no numbers yet, so no view shows it"
        for home in homes
        for group in read_groups(home) or ()
        if not group.begun(home)
    ]


def _about(folder: RunFolder) -> ComparedRun:
    from lensbench.records.missing import missing_records

    about = folder.read_json("variants.json")
    missing = missing_records(folder, about)
    return ComparedRun(
        str(folder.path),
        about["backbone"],
        about["backbone_digest"],
        about.get("dtype"),
        list(about["variants"]),
        folder.has("results.json") and not missing,
        missing,
    )

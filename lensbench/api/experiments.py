"""An experiment with several backbones: one run folder for each in one folder, and views of all together."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lensbench.api.arguments import a_path, known_arguments
from lensbench.api.evaluation import evaluate
from lensbench.api.experiment_plan import PlannedGroup, experiment_folder, plan_groups, share_of_budget
from lensbench.api.reporting_to import progress_or_default
from lensbench.api.requests import RunChoices
from lensbench.api.run import Run
from lensbench.api.run_files import text_of_run
from lensbench.errors import LensbenchError, RunError, UsageError
from lensbench.progress import Progress

if TYPE_CHECKING:
    from lensbench.api.html_report import Report
    from lensbench.api.paper_tables import PaperTable
    from lensbench.jsonio import JsonObject

__all__ = ["BackbonesFailed", "Experiment", "evaluate_backbones", "holds_experiment"]


class BackbonesFailed(RunError):
    """The runs of some backbones failed; those of the others are finished.

    Attributes:
        experiment: All runs, as far as they got.
        failures: Backbone -> its error.
    """

    def __init__(self, experiment: Experiment, failures: Mapping[str, LensbenchError]) -> None:
        told = "; ".join(f"backbone '{name}' failed: {error.message}" for name, error in failures.items())
        hints = list(dict.fromkeys(error.hint for error in failures.values() if error.hint))
        again = f"What is finished is in {experiment.folder}. The same command goes on."
        super().__init__(told, "\n  ".join([*hints, again]))
        self.experiment, self.failures = experiment, dict(failures)


class Experiment:
    """The folder of an experiment.

    Args:
        folder: The folder with `experiment.json`.

    Raises:
        UsageError: there is no experiment in the folder.
        RunError: its file cannot be read.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        from lensbench.records.experiment import read_groups

        self.folder: Path = a_path("experiment", folder)
        groups = read_groups(self.folder)
        if groups is None:
            raise UsageError(f"no experiment at {self.folder}", "The folder of an experiment holds an experiment.json.")
        self._groups = groups

    @property
    def backbones(self) -> tuple[str, ...]:
        """The backbones as they were named, in their order."""
        return tuple(group.backbone for group in self._groups)

    @property
    def runs(self) -> dict[str, Run]:
        """Backbone -> its run, of every run that has begun to score."""
        return {group.backbone: Run(self.folder / group.folder) for group in self._groups if group.begun(self.folder)}

    @property
    def results(self) -> JsonObject:
        """Backbone -> content of its `results.json`."""
        return {name: run.results for name, run in self.runs.items()}

    def warnings(self) -> list[str]:
        """Backbones without numbers."""
        from lensbench.api.comparison import groups_without_numbers

        return groups_without_numbers([self])

    def table(self, name: str, **choices: Any) -> PaperTable:
        """A paper's table with one block for every backbone; see `lensbench.table`."""
        from lensbench.api.paper_tables import table

        return table(name, [self], **choices)

    def report(self, html: str | os.PathLike[str] | None = None) -> Report:
        """Write one HTML report of all runs; None writes `report.html` into the experiment's folder. See `lensbench.report`."""
        from lensbench.api.html_report import report

        return report([self], html)

    def __repr__(self) -> str:
        return f"Experiment({str(self.folder)!r})"


def holds_experiment(folder: str | os.PathLike[str]) -> bool:
    """Whether a folder is that of an experiment with several backbones."""
    from lensbench.records.experiment import EXPERIMENT_FILE

    return (a_path("experiment", folder) / EXPERIMENT_FILE).is_file()


def evaluate_backbones(
    backbone: Sequence[str | os.PathLike[str]],
    *,
    out: str | os.PathLike[str] | None = None,
    resume: bool = False,
    max_usd: float | None = None,
    progress: Progress | None = None,
    **choices: Any,
) -> Experiment:
    """Carry out the same run on several backbones, one after the other, in one folder.

    The folder of each backbone is an ordinary run folder. The same call goes on where an earlier one stopped; a call with further
    backbones and the same `out` adds them. What is wrong with a plan is refused before the first run starts. A run that fails
    later leaves the others to finish.

    Args:
        backbone: Short names, hub ids or model folders.
        out: Folder of the experiment; None makes `runs/` and a name from the choices.
        resume: Continue an existing experiment; fail if there is none.
        max_usd: The most that judging may cost in all; each backbone has an equal share.
        progress: Where stages report to; None shows bars.
        choices: As for `evaluate`.

    Raises:
        UsageError: a checkpoint that is named twice, or as `evaluate`.
        BackbonesFailed: runs failed; the error's `experiment` has the others.
    """
    from lensbench.executors.launch import find_place
    from lensbench.records import write_atomically
    from lensbench.records.experiment import write_groups
    from lensbench.version import __version__

    known_arguments(choices, evaluate)
    if find_place(None).count > 1:
        raise UsageError("torchrun runs one backbone at a time", "Give ``data_parallel``, or start each backbone by itself.")
    of_plans = {name: value for name, value in choices.items() if name in RunChoices.__annotations__}
    planned = plan_groups(backbone, of_plans)
    home = experiment_folder(planned, out)
    groups = _claimed(home, planned, resume)
    names = [one.group.backbone for one in planned]
    further = {name: value for name, value in choices.items() if name not in of_plans}
    write_groups(home, groups, __version__)
    text = text_of_run(planned[0].request, planned[0].plan, **further, max_usd=max_usd, backbone=names)
    write_atomically(home / "run.yaml", text)
    reporter = progress_or_default(progress)
    failures: dict[str, LensbenchError] = {}
    folders = {group.backbone: group.folder for group in groups}
    for number, name in enumerate(names, 1):
        reporter.notify(f"backbone {number} of {len(names)}: {name}")
        share = share_of_budget(max_usd, len(names))
        try:
            evaluate(name, out=home / folders[name], max_usd=share, progress=reporter, **choices)
        except LensbenchError as error:
            failures[name] = error
            reporter.notify(f"! backbone '{name}' failed: {error.message}")
    experiment = Experiment(home)
    if experiment.runs:
        experiment.report()
    if failures:
        raise BackbonesFailed(experiment, failures)
    return experiment


def _claimed(home: Path, planned: Sequence[PlannedGroup], resume: bool) -> list[Any]:
    """The groups of the folder: those it has, then those that are new.

    Raises:
        UsageError: the folder holds something else, or `resume` and there is no experiment.
    """
    from lensbench.records.experiment import Group, read_groups

    before = read_groups(home)
    if before is None:
        if resume:
            raise UsageError(f"``resume``: no experiment at {home}", "Leave ``resume`` out to begin one.")
        if home.is_dir() and any(home.iterdir()):
            what = "holds the run of one backbone" if (home / "run.json").is_file() else "is not empty and holds no experiment"
            raise UsageError(f"{home} {what}", "Give another ``out``.")
    groups = list(before or ())
    known = {group.backbone for group in groups}
    for one in planned:
        if one.group.backbone not in known:
            taken, name, number = {group.folder for group in groups}, one.group.folder, 2
            while name in taken:
                name, number = f"{one.group.folder}-{number}", number + 1
            groups.append(Group(name, one.group.backbone))
    return groups

"""`lensbench run` with several backbones, and the view of such an experiment."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lensbench.cli.terminal import echo
from lensbench.errors import LensbenchError

if TYPE_CHECKING:
    from lensbench.api import Experiment

__all__ = ["print_experiment", "run_backbones"]


def run_backbones(carry_out: Callable[[Callable[..., Any]], Experiment], as_json: bool) -> None:
    """Carry out and show; backbones that failed leave the others to be looked at.

    Args:
        carry_out: Calls the function that it is given with the choices of the command.

    Raises:
        LensbenchError: the experiment was refused, or runs failed, after the others are shown.
    """
    from lensbench.api import BackbonesFailed, evaluate_backbones
    from lensbench.cli.render import print_json

    failure: LensbenchError | None = None
    try:
        experiment = carry_out(evaluate_backbones)
    except BackbonesFailed as error:
        experiment, failure = error.experiment, error
    if as_json:
        print_json(experiment.results)
    else:
        print_experiment(experiment)
        if experiment.runs:
            echo(f"\nreport of all: {experiment.folder / 'report.html'}")
    if failure is not None:
        raise failure


def print_experiment(experiment: Experiment, *, everything: bool = False) -> None:
    """What each run says, one after the other."""
    from lensbench.cli.render import print_run, print_text, warn

    for number, run in enumerate(experiment.runs.values()):
        if number:
            echo()
        print_text(run.title)
        if not run.finished:
            print_text("unfinished: this is of the finished part; run its command again to continue")
        print_run(run, everything=everything)
    warn(experiment.warnings())

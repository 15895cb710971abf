"""Run files: a run as YAML, and the experiments that ship."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from lensbench.api.arguments import a_path
from lensbench.jsonio import JsonObject

if TYPE_CHECKING:
    from lensbench.plan.plan import Plan
    from lensbench.plan.request import RunRequest

__all__ = ["read_run_file", "text_of_run"]


def read_run_file(path: str | os.PathLike[str]) -> JsonObject:
    """The arguments that a run file gives: `evaluate(**read_run_file("my-run.yaml"))`.

    Where `backbone` is a list of several, they are the arguments of `evaluate_backbones`.

    The file that a run wrote into its folder (`run.yaml`) names that folder, so that the run goes on there.

    Args:
        path: A YAML file, or the name of an experiment that ships.

    Raises:
        UsageError: an unknown name, or a file with a mistake; the message has its line.
    """
    from lensbench.content import named_file, shipped_files
    from lensbench.plan.run_file import read_run_file as read
    from lensbench.plan.run_file_text import RUN_FILE
    from lensbench.records.experiment import EXPERIMENT_FILE

    found = named_file("experiment", os.fspath(a_path("path", path)), shipped_files("experiments"))
    arguments = read(found).arguments()
    if found.name == RUN_FILE and any((found.parent / name).is_file() for name in ("run.json", EXPERIMENT_FILE)):
        arguments["out"] = str(found.parent)
    return arguments


def text_of_run(request: RunRequest, plan: Plan, **further: object) -> str:
    """The run file of a call.

    Args:
        further: Arguments that the request does not hold.
    """
    from lensbench.plan.run_file_text import run_file_text

    return run_file_text(request, plan, further)

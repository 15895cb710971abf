"""Another rank of a run, as a separate process: `python -m lensbench.stages.worker REQUEST FOLDER`; rank 0 starts it."""

from __future__ import annotations

import sys
from pathlib import Path

from pydantic import TypeAdapter

from lensbench.errors import LensbenchError
from lensbench.executors.launch import find_place, joined
from lensbench.methods.base import SilentProgress
from lensbench.plan.plan import make_plan
from lensbench.plan.request import RunRequest

__all__ = ["main"]


def main(request: str, folder: str) -> None:
    """Help with a run.

    Args:
        request: The run's `RunRequest` as JSON; the rank comes from torchrun's environment variables.
    """
    try:
        plan = make_plan(TypeAdapter(RunRequest).validate_json(request))
        with joined(find_place(None)) as ranks:
            from lensbench.quiet import quiet_libraries
            from lensbench.stages.run import run

            quiet_libraries()
            run(plan, Path(folder), SilentProgress(), ranks=ranks)
    except LensbenchError as error:
        sys.exit(f"lensbench: {error}")


if __name__ == "__main__":
    main(*sys.argv[1:])

"""`lensbench fetch`."""

from __future__ import annotations

from typing import Any

import click

from lensbench.cli.run import command as run_command
from lensbench.cli.terminal import echo
from lensbench.errors import RunError

_NOT_TAKEN = ("out", "resume", "dry_run", "judge", "judge_model", "base_url", "max_usd")


def call(**options: Any) -> None:
    """Download what a run with these options reads from the hub: weights, and rows of its tasks and methods.

    For a login node: the run itself then needs no network (HF_HUB_OFFLINE=1). What is here already is not fetched again.

    \b
    Examples:
      lensbench fetch --method lens --backbone llama3-8b
      lensbench fetch --method lens --backbone llama3-8b --languages zh,ja,ko,ar,bn,sw
    """
    from lensbench.cli.needs import needs_as_json, say_not_pinned, show_needs
    from lensbench.cli.progress import TerminalProgress
    from lensbench.cli.render import print_json
    from lensbench.cli.run import request_of
    from lensbench.hub import shown_by, size_text
    from lensbench.plan.fetch import fetch_needs, read_needs
    from lensbench.plan.plan import make_plan
    from lensbench.quiet import quiet_libraries

    plan = make_plan(request_of(options))
    quiet_libraries()
    with shown_by(TerminalProgress()):
        needs = list(read_needs(plan))
        fetched = [need for need in needs if need.problem is None]
        fetch_needs(fetched)
    if options["as_json"]:
        print_json({"needs": needs_as_json(needs), "gaps": list(plan.gaps)})
    else:
        show_needs(needs, "was here")
        for gap in plan.gaps:
            echo(f"not available: {gap}")
        say_not_pinned(needs)
        # Languages of one table share their file.
        distinct = {(need.place, need.commit, *(need.files[1] if need.files else ())): need for need in fetched}.values()
        new = sum((need.bytes or 0) - (need.here or 0) for need in distinct)
        total = sum(need.bytes or 0 for need in distinct)
        echo(f"{size_text(total)} for this run are here, {size_text(new)} of them new")
    failed = [need for need in needs if need.problem is not None]
    if failed:
        raise RunError(f"{len(failed)} of {len(needs)} could not be had", failed[0].problem)


command = click.Command(
    "fetch",
    callback=call,
    params=[p for p in run_command.params if p.name not in _NOT_TAKEN],
    help=call.__doc__,
    epilog="Exit codes: 0 all is here, 1 something could not be had, 2 the command was wrong.",
)

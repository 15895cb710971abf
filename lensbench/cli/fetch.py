"""`lensbench fetch`."""

from __future__ import annotations

from typing import Any

import click

from lensbench.cli.flags import all_with_flags
from lensbench.cli.run import command as run_command

_NOT_TAKEN = ("out", "resume", "dry_run", "judge", "judge_model", "base_url", "max_usd", "tracker")


def call(**options: Any) -> None:
    """Download what a run with these options reads from the hub: weights, and rows of its tasks and methods.

    For a login node: the run itself then needs no network (HF_HUB_OFFLINE=1). What is here already is not fetched again.

    \b
    Examples:
      lensbench fetch --method lens --backbone llama3-8b
      lensbench fetch --method lens --backbone llama3-8b --languages zh,ja,ko,ar,bn,sw
    """
    from lensbench.api import fetch
    from lensbench.cli.log_options import progress_of
    from lensbench.cli.render import print_json, print_view
    from lensbench.cli.run import choices_of, with_file

    choices = with_file(options["file"], choices_of(options))
    progress = progress_of(False, False, None)
    found = [fetch(backbone, progress=progress, **choices) for backbone in choices.pop("backbone")]
    if options["as_json"]:
        content = [all_with_flags(one.as_dict()) for one in found]
        print_json(content[0] if len(content) == 1 else content)
    else:
        for one in found:
            print_view(one.view())
    for one in found:
        one.check()


command = click.Command(
    "fetch",
    callback=call,
    params=[p for p in run_command.params if p.name not in _NOT_TAKEN],
    help=call.__doc__,
    epilog="Exit codes: 0 all is here, 1 something was not available, 2 the command was wrong.",
)

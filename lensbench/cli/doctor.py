"""`lensbench doctor`."""

from __future__ import annotations

import click

from lensbench.cli.flags import all_with_flags
from lensbench.cli.terminal import echo


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def command(as_json: bool) -> None:
    """Check packages, memory, accelerators, the embedded model, the identifier, the hub and the data folder.

    \b
    Example:
      lensbench doctor
    """
    from lensbench.api import check_machine
    from lensbench.cli.render import print_json

    findings = all_with_flags(check_machine())
    if as_json:
        print_json(findings)
        return
    for finding in findings:
        echo(f"{'ok ' if finding['ok'] else '-- '} {finding['what']}: {finding['found']}")
        if not finding["ok"] and finding["fix"]:
            echo(f"      {finding['fix']}")

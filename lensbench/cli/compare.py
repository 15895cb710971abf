"""`lensbench compare`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("run_a", type=click.Path(path_type=Path))
@click.argument("run_b", type=click.Path(path_type=Path))
@click.option("--variant", metavar="X", help="Variant of RUN_A. Default: every variant that both runs have.")
@click.option("--with", "other", metavar="Y", help="Variant of RUN_B to compare with X. Default: X.")
@click.option("--json", "as_json", is_flag=True, help="Print the comparison as JSON.")
def command(run_a: Path, run_b: Path, variant: str | None, other: str | None, as_json: bool) -> None:
    """Compare two runs item by item, where both asked the same rows in the same way; list what cannot be compared, and why.

    Differences are RUN_B less RUN_A. Give the same run twice to compare two of its variants.

    \b
    Examples:
      lensbench compare runs/before runs/after
      lensbench compare RUN RUN --variant xsft --with lens
    """
    from lensbench.api import compare
    from lensbench.cli.render import print_json, print_view, warn

    found = compare(run_a, run_b, variant=variant, with_variant=other)
    if as_json:
        print_json(found.as_dict())
    else:
        print_view(found.view())
    warn(found.warnings())
    found.check()

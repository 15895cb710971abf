"""`lensbench show`."""

from __future__ import annotations

from pathlib import Path

import click

from lensbench.cli.terminal import echo


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--all", "everything", is_flag=True, help="Also further units of fidelity and ratings by category.")
@click.option("--json", "as_json", is_flag=True, help="Print results.json.")
def command(run: Path, everything: bool, as_json: bool) -> None:
    """Show the table of a run, recomputed from its item records; also of one that is unfinished.

    \b
    Examples:
      lensbench show runs/lens-smollm2-135m-zh-1a2b3c4d5e
      lensbench show RUN --json
    """
    from lensbench.cli.render import print_json, print_results
    from lensbench.numbers.results import collect_results
    from lensbench.records import RunFolder

    folder = RunFolder.existing(run, lenient=True)
    results = collect_results(folder)
    if as_json:
        print_json(results)
        return
    spec = folder.spec()
    echo(f"{spec.title} on {spec.backbone}, {', '.join(spec.all_languages)}; profile {spec.profile}")
    if not (run / "results.json").is_file() or any(entry["why"] == "planned" for entry in results["missing"]):
        echo("unfinished: the table goes as far as the run got; give its command again to go on")
    print_results(results, everything=everything)

"""`lensbench table`."""

from __future__ import annotations

from pathlib import Path

import click

from lensbench.cli.terminal import echo
from lensbench.printable import printable


@click.command()
@click.argument("table", metavar="TABLE")
@click.argument("runs", nargs=-1, type=click.Path(path_type=Path), metavar="RUN [RUN ...]")
@click.option(
    "--format", "form", default="md", metavar="FORMAT", help="Format: md (or markdown), latex, csv or html. Default: md."
)
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="File to write. Default: print the table."
)
@click.option("--intervals", is_flag=True, help="Also show interval, number of items and failures in every cell.")
@click.option(
    "--digits", type=int, metavar="N", help="Decimals of all numbers, 0 to 6. Default: as the table's file says, by unit."
)
@click.option("--published", is_flag=True, help="Compare the numbers with those that the papers report.")
@click.option(
    "--paper-backbone", metavar="NAME", help="With --published: backbone in the paper to compare with. Default: that of the run."
)
@click.option("--judge", metavar="NAME", help="Judge whose ratings to show, if the run has several.")
@click.option("--identifier", metavar="NAME", help="Language identifier whose labels to show, if the run has several.")
@click.option("--profile", metavar="NAME", help="Profile to show, if the runs used several.")
def command(
    table: str,
    runs: tuple[Path, ...],
    form: str,
    out: Path | None,
    intervals: bool,
    digits: int | None,
    published: bool,
    paper_backbone: str | None,
    judge: str | None,
    identifier: str | None,
    profile: str | None,
) -> None:
    """Make a paper's table of one or several runs.

    TABLE is bilingual, multilingual, averages, cost, settings, or a spec of your own (a YAML file).

    \b
    Examples:
      lensbench table bilingual RUN
      lensbench table bilingual --format latex RUN_A RUN_B --out table1.tex
      lensbench table bilingual --published RUN
      lensbench table averages --digits 1 RUN
      lensbench table cost --format csv RUN
    """
    from lensbench.api import table as make_table
    from lensbench.errors import UsageError

    if out is not None and not out.parent.is_dir():
        raise UsageError(f"--out {out}: no folder {out.parent}")
    made = make_table(
        table,
        runs,
        format=form,
        published=published,
        paper_backbone=paper_backbone,
        judge=judge,
        identifier=identifier,
        profile=profile,
        digits=digits,
    )
    if out is None:
        echo(made.render(intervals=intervals), nl=False)
    else:
        made.save(out, intervals=intervals)
    # Other formats print them in the table; a line of CSV has no place for what is true of many.
    said = [f"! {warning}" for warning in made.warnings] if out is not None or form == "csv" else []
    said += made.csv_remarks if form == "csv" else []
    for line in said:
        echo(printable(line, one_line=True), err=True)
    if out is not None:
        echo(f"table: {out}")

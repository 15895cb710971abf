"""`lensbench table`."""

from __future__ import annotations

from pathlib import Path

import click

from lensbench.cli.terminal import echo


@click.command()
@click.argument("table", metavar="TABLE")
@click.argument("runs", nargs=-1, type=click.Path(path_type=Path), metavar="RUN [RUN ...]")
@click.option("--format", "form", default="md", metavar="FORMAT", help="md, latex, csv or html. Default: md.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write a file instead of printing.")
@click.option("--intervals", is_flag=True, help="Also interval, number of items and failures in every cell.")
@click.option("--published", is_flag=True, help="Set the numbers against those the papers print.")
@click.option("--paper-backbone", metavar="NAME", help="With --published: which of the paper's. Default: the run's own.")
@click.option("--judge", metavar="NAME", help="Whose ratings, where a run has several judges'.")
@click.option("--identifier", metavar="NAME", help="Whose labels, where a run has several identifiers'.")
@click.option("--profile", metavar="NAME", help="Which profile, where runs were asked under several.")
def command(
    table: str,
    runs: tuple[Path, ...],
    form: str,
    out: Path | None,
    intervals: bool,
    published: bool,
    paper_backbone: str | None,
    judge: str | None,
    identifier: str | None,
    profile: str | None,
) -> None:
    """Make a paper's table of one or several runs: bilingual, multilingual, cost, settings, or a spec of your own (a YAML file).

    \b
    Examples:
      lensbench table bilingual RUN
      lensbench table bilingual --format latex RUN_A RUN_B --out table1.tex
      lensbench table bilingual --published RUN
      lensbench table cost --format csv RUN
    """
    from lensbench.errors import UsageError, unknown_name
    from lensbench.reporting.tables import FORMATS, Choice, build_table, load_table_spec, render_table

    if form not in FORMATS:
        raise unknown_name("format", form, FORMATS)
    spec = load_table_spec(table)
    if not runs:
        raise UsageError("no run given", f"Example: lensbench table {table} runs/NAME")
    if paper_backbone is not None and not published:
        raise UsageError("--paper-backbone goes with --published")
    if out is not None and not out.parent.is_dir():
        raise UsageError(f"--out {out}: no folder {out.parent}")
    from lensbench.interop.lm_eval.as_runs import as_runs
    from lensbench.reporting.tables import table_runs
    from lensbench.reporting.tables.escape import one_line

    made = build_table(
        spec,
        table_runs(as_runs(runs)),
        choice=Choice(judge, identifier, profile),
        published=published,
        paper_backbone=paper_backbone,
    )
    text = render_table(made, form, intervals=intervals)
    if out is None:
        echo(text, nl=False)
    else:
        from lensbench.records import write_atomically

        write_atomically(out, text)
    # Other formats print them in the table; a line of CSV has no place for what is true of many.
    said = [f"! {warning}" for warning in made.warnings] if out is not None or form == "csv" else []
    if form == "csv":
        remarks = [remark for section in made.sections if section.in_csv for remark in section.remarks]
        said += [*dict.fromkeys(remarks), *made.remarks]
    for line in said:
        echo(one_line(line), err=True)
    if out is not None:
        echo(f"table: {out}")

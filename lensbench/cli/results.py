"""`lensbench results`."""

from __future__ import annotations

from pathlib import Path

import click

from lensbench.cli.terminal import echo


@click.command()
@click.argument("folder", metavar="RUN", type=click.Path(path_type=Path))
@click.option(
    "--parquet",
    is_flag=True,
    help="Write items.parquet, cells.parquet and averages.parquet; of a sweep also its settings and seeds.",
)
@click.option(
    "--english-margin",
    metavar="MARGIN",
    help="Set how large a loss in English counts as none, and make the results again: 2, or accuracy=2,language=1,rating=0.2.",
)
@click.option(
    "--pick",
    is_flag=False,
    flag_value="",
    metavar="[RULE]",
    help="Choose a setting of each method by this rule, and make the results again: share=0.3 (the default), endpoint=language. "
    "`off` reports all variants on all items. The results say that the rule came after the run.",
)
@click.option(
    "--to",
    "target",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Folder to write. Default: the run folder.",
)
def command(folder: Path, parquet: bool, english_margin: str | None, pick: str | None, target: Path | None) -> None:
    """Write the items, cells and averages of a run as Parquet files, or change its margin for English or its choice of settings.

    \b
    Examples:
      lensbench results RUN --parquet
      lensbench results RUN --english-margin 2
      lensbench results RUN --pick share=0.3
      python -c "import lensbench; print(lensbench.load('RUN').averages)"
    """
    from lensbench.api import load
    from lensbench.cli.render import print_answer, warn
    from lensbench.errors import UsageError

    if not parquet and english_margin is None and pick is None:
        raise UsageError("no format given", "Example: lensbench results RUN --parquet")
    run = load(folder)
    if english_margin is not None:
        run.set_english_margin(english_margin)
    if pick is not None:
        run.set_pick(None if pick == "off" else pick)
    if english_margin is not None or pick is not None:
        print_answer(run.answer())
    if not parquet:
        return
    for path in run.to_parquet(target):
        echo(str(path))
    warn(run.warnings())

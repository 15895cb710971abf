"""`lensbench calibrate`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from lensbench.api import short_judge
from lensbench.cli.terminal import echo


@click.command()
@click.argument("folder", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(folder: Path, as_json: bool) -> None:
    """Check the judges of a run: agreement of repeats and of judges, length, and the language of the answers.

    \b
    Examples:
      lensbench judge RUN --judge gpt-4o --repeats 3
      lensbench judge RUN --judge local --base-url http://127.0.0.1:8000/v1 --model NAME
      lensbench calibrate RUN
    """
    from lensbench.api import load, missing_lines
    from lensbench.cli.render import print_json, print_table, warn

    run = load(folder)
    found = run.calibrate()
    warn(run.damage())
    if as_json:
        print_json(found.as_dict())
        return
    if found.agreement:
        echo("Agreement (Krippendorff's alpha, interval data: 1 is agreement, 0 is chance)")
        rows = [
            (
                " / ".join(map(short_judge, a.raters)),
                _number(a.alpha),
                _number(a.deviation),
                ", ".join(f"{m:.2f}" for m in a.means),
                str(a.answers),
            )
            for a in found.agreement
        ]
        print_table(("raters", "alpha", "sd of one answer", "means", "answers"), rows)
    else:
        echo("Agreement: one judge, one repetition; --repeats 3 or a second judge would show it.")
    echo("Length: rating points for each 100 further tokens of an answer")
    print_table(
        ("judge", "lang", "slope", "95%", "answers"),
        [(short_judge(s.judge), s.language, *_interval(s.slope, sign=True), str(s.answers)) for s in found.length],
    )
    for slope in found.length:
        if slope.without_answer:
            echo(
                f"! {short_judge(slope.judge)} in {slope.language}: {slope.without_answer} ratings are of answers that have no "
                "record with a length; they are in no slope"
            )
    echo("Language: mean rating of answers in the asked language and of others; difference to base where both are in it")
    print_table(
        ("judge", "task", "lang", "variant", "in it", "95%", "n", "others", "95%", "n", "diff to base", "95%", "n"),
        [
            (
                short_judge(c.judge),
                c.task,
                c.language,
                c.variant,
                *_interval(c.faithful),
                str(c.n_faithful),
                *_interval(c.unfaithful),
                str(c.n_unfaithful),
                *_interval(c.delta, sign=True),
                str(c.n_pairs) if c.n_pairs else "",
            )
            for c in found.controlled
        ],
    )
    if found.unidentified:
        echo(f"! {found.unidentified} rated answers have no language told by an identifier; they are in neither mean")
    for note in missing_lines(found.missing):
        echo(note)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _interval(found: Any, *, sign: bool = False) -> tuple[str, str]:
    if found is None:
        return "", ""
    plus = "+" if sign else ""
    return f"{found.value:{plus}.2f}", f"[{found.low:{plus}.2f}, {found.high:{plus}.2f}]"

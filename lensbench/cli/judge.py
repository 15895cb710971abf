"""`lensbench judge`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from lensbench.cli.log_options import log_options, progress_of
from lensbench.cli.terminal import echo, split_names
from lensbench.printable import printable


@click.command(epilog="Exit codes: 0 done, 1 the judge could not be asked, 2 the command was wrong, 3 the money cap was reached.")
@click.argument("folder", metavar="RUN", type=click.Path(path_type=Path))
@click.option(
    "-j",
    "--judge",
    "name",
    required=True,
    metavar="NAME|YAML",
    help="Judge: a name from `lensbench ls judges`, or your own YAML file.",
)
@click.option("--model", metavar="NAME", help="Model to use instead of the judge's own.")
@click.option("--base-url", metavar="URL", help="URL of an OpenAI-compatible server, such as http://127.0.0.1:8000/v1.")
@click.option("--tokenizer", metavar="NAME|PATH", help="Tokenizer for the estimate: tiktoken:NAME, a hub id or a folder.")
@click.option(
    "-t",
    "--tasks",
    metavar="NAMES",
    help="Tasks to grade, separated by commas. Default: judged tasks, else all tasks with answers.",
)
@click.option("--estimate", is_flag=True, help="Show the number of requests, tokens and the cost, and stop.")
@click.option("--max-usd", type=float, help="Maximum cost in US dollars. No request is sent that could exceed it.")
@click.option("--batch", is_flag=True, help="Use the provider's batch API, which is slower and cheaper.")
@click.option("--poll-seconds", type=float, default=30.0, show_default=True, help="Seconds between two looks at a batch.")
@click.option(
    "--repeats", type=click.IntRange(1, 100), default=1, show_default=True, help="Number of times that each answer is graded."
)
@click.option(
    "--replay", type=click.Path(path_type=Path), metavar="RUN|FILE", help="Use stored verdicts instead of asking the judge."
)
@click.option("--no-cache", is_flag=True, help="Do not use the cache of verdicts that runs share.")
@click.option("--json", "as_json", is_flag=True, help="Print the results or the estimate as JSON.")
@log_options
def command(folder: Path, **options: Any) -> None:
    """Grade the answers of a run from 1 to 10. Verdicts are kept; run the same command again to continue.

    \b
    Examples:
      lensbench judge RUN --judge gpt-4o --estimate
      lensbench judge RUN --judge gpt-4o --max-usd 5
      lensbench judge RUN --judge local --base-url http://127.0.0.1:8000/v1 --model NAME
      lensbench judge RUN --judge gpt-4o --replay OTHER_RUN
    """
    from lensbench.api import load
    from lensbench.cli.render import print_json, print_run

    run = load(folder)
    choices: dict[str, Any] = {
        **{name: options[name] for name in ("model", "base_url", "tokenizer", "repeats", "max_usd", "batch", "poll_seconds")},
        "tasks": None if options["tasks"] is None else split_names(options["tasks"]),
        "replay": options["replay"],
        "use_cache": not options["no_cache"],
    }
    if options["estimate"]:
        found = run.estimate(options["name"], **choices)
        if options["as_json"]:
            print_json(found.as_dict())
        else:
            show_estimate(found)
        return
    progress = progress_of(options["quiet"], options["verbose"], options["log"])
    graded = run.judge(options["name"], **choices, progress=progress)
    if options["as_json"]:
        print_json(run.results)
    else:
        print_run(run)
        echo(summary(graded))
    if graded.stopped_by_cap:
        echo(
            f"lensbench: --max-usd {options['max_usd']:g} reached: {graded.stopped_by_cap} answers were not graded; "
            "the same command with a higher cap goes on",
            err=True,
        )
        raise SystemExit(3)


def show_estimate(found: Any) -> None:
    echo(f"requests           {found.requests}" + (f" (and {found.known} known already)" if found.known else ""))
    echo(f"prompt tokens      {found.prompt_tokens:,}, counted with {found.tokenizer}")
    echo(f"completion tokens  {found.completion_tokens:,}, by {found.completion_from}")
    if found.usd is None:
        echo("cost               not known: the judge has no prices")
    else:
        echo(f"cost               ${found.usd:.2f}; at most ${found.usd_at_most:.2f}")
    if found.seconds_at_least is not None:
        echo(f"time               at least {found.seconds_at_least / 60:.1f} min, by the judge's limits")


def summary(graded: Any) -> str:
    parts = [f"{graded.states['ok']} graded", f"{graded.requests} requests", f"{graded.from_cache} known already"]
    parts += [f"{n} {state.replace('_', ' ')}" for state, n in sorted(graded.states.items()) if state != "ok"]
    if graded.usd is not None:
        unknown = f" ({graded.unknown_cost} of them counted at their most)" if graded.unknown_cost else ""
        parts.append(f"${graded.usd:.4f}{unknown}")
    if graded.injections:
        parts.append(f"{graded.injections} rated answers speak to their judge")
    parts += [
        f"{n} replies under the name of another model, {printable(m, one_line=True)}" for m, n in graded.other_models.items()
    ]
    if graded.cut:
        parts.append(f"{graded.cut} replies were cut before their rating: raise `max_tokens` in the judge's YAML")
    return "judged: " + ", ".join(parts)

"""`lensbench judge`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from lensbench.cli.log_options import log_options, progress_of
from lensbench.cli.terminal import echo
from lensbench.errors import UsageError
from lensbench.printable import printable


@click.command(epilog="Exit codes: 0 done, 1 the judge could not be asked, 2 the command was wrong, 3 the money cap was reached.")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("-j", "--judge", "name", required=True, metavar="NAME|YAML", help="gpt-4o, local, or a judge YAML of your own.")
@click.option("--model", metavar="NAME", help="In place of the judge's model.")
@click.option("--base-url", metavar="URL", help="Any OpenAI-compatible server, such as http://127.0.0.1:8000/v1.")
@click.option("--tokenizer", metavar="NAME|PATH", help="What estimates count with: tiktoken:NAME, a hub id or a folder.")
@click.option("-t", "--tasks", metavar="NAMES", help="Tasks to grade, by comma; default: those whose profile is judged.")
@click.option("--estimate", is_flag=True, help="Show requests, tokens and money, and stop.")
@click.option("--max-usd", type=float, help="Send nothing that could bring the cost of this command above this.")
@click.option("--batch", is_flag=True, help="Use the provider's batch API: slower, and cheaper.")
@click.option("--poll-seconds", type=float, default=30.0, show_default=True, help="How often to look after a batch.")
@click.option("--repeats", type=click.IntRange(1, 100), default=1, show_default=True, help="Grade every answer so many times.")
@click.option("--replay", type=click.Path(path_type=Path), metavar="RUN|FILE", help="Judge from stored verdicts; asks nobody.")
@click.option("--no-cache", is_flag=True, help="Neither read nor write the verdicts of other runs.")
@click.option("--json", "as_json", is_flag=True, help="Print results.json (or the estimate) as JSON.")
@log_options
def command(run: Path, **options: Any) -> None:
    """Grade the answers of a run from 1 to 10. What was graded stays; the same command goes on.

    \b
    Examples:
      lensbench judge RUN --judge gpt-4o --estimate
      lensbench judge RUN --judge gpt-4o --max-usd 5
      lensbench judge RUN --judge local --base-url http://127.0.0.1:8000/v1 --model NAME
      lensbench judge RUN --judge gpt-4o --replay OTHER_RUN
    """
    from lensbench.cli.render import print_json, print_results
    from lensbench.numbers.results import collect_results
    from lensbench.records import RunFolder
    from lensbench.stages.judge import estimate_judging, judge_stage
    from lensbench.stages.results import write_results

    folder = RunFolder.existing(run)
    request = judge_request(options)
    if options["estimate"]:
        found = estimate_judging(folder, request)
        if options["as_json"]:
            print_json(found.as_dict())
        else:
            show_estimate(found)
        return
    progress = progress_of(options["quiet"], options["verbose"], options["log"])
    with folder.lock():
        try:
            graded = judge_stage(folder, request, progress)
        finally:
            # Also after a failure: the table shows how far it got.
            write_results(folder)
    results = collect_results(folder)
    if options["as_json"]:
        print_json(results)
    else:
        print_results(results)
        echo(summary(graded))
    if graded.stopped_by_cap:
        echo(
            f"lensbench: --max-usd {options['max_usd']:g} reached: {graded.stopped_by_cap} answers were not graded; "
            "the same command with a higher cap goes on",
            err=True,
        )
        raise SystemExit(3)


def judge_request(options: dict[str, Any]) -> Any:
    """What `judge` and `run --judge` share."""
    from lensbench.grading.judge import load_judge
    from lensbench.grading.judge.http import api_key, extra_headers
    from lensbench.grading.judge.spend import Budget
    from lensbench.stages.judge import JudgeRequest

    poll = options.get("poll_seconds")
    if poll is not None and not 0 < poll <= 86_400:
        raise UsageError(f"--poll-seconds must be above 0 and at most 86400, found {poll:g}")
    judge = load_judge(
        options["name"], model=options.get("model"), base_url=options.get("base_url"), tokenizer=options.get("tokenizer")
    )
    if options.get("replay") is None and not options.get("estimate"):
        api_key(judge)
        extra_headers(judge)
    Budget(judge.file.prices, options.get("max_usd"))
    tasks = options.get("tasks")
    names = tuple(name.strip() for name in tasks.split(",") if name.strip()) if tasks is not None else None
    if names == ():
        raise UsageError("--tasks names no task", "Example: --tasks mt_bench")
    return JudgeRequest(
        judge=judge,
        tasks=names,
        repeats=options.get("repeats") or 1,
        max_usd=options.get("max_usd"),
        batch=bool(options.get("batch")),
        replay=options.get("replay"),
        use_cache=not options.get("no_cache"),
        poll_seconds=30.0 if poll is None else poll,
    )


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

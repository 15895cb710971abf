"""`lensbench run`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from lensbench.api import DEFAULT_ENGINE, engine_names
from lensbench.cli.flags import all_with_flags
from lensbench.cli.include_option import include_option
from lensbench.cli.log_options import log_options, progress_of
from lensbench.cli.terminal import echo, split_names
from lensbench.errors import LensbenchError, UsageError


@click.command(epilog="Exit codes: 0 done, 1 the run failed, 2 the command was wrong, 130 stopped; the same command goes on.")
@click.argument("file", required=False, metavar="[FILE]")
@click.option(
    "-m",
    "--method",
    multiple=True,
    metavar="NAMES",
    help="Methods to fit, separated by commas; may be repeated. Without it, only the backbone is scored.",
)
@click.option(
    "--variant",
    "variants",
    multiple=True,
    metavar="[NAME=]METHOD:KEY=VALUE,...|[NAME=]HUB|PATH",
    help="Method with its own settings, or another checkpoint to score; may be repeated.",
)
@click.option(
    "--sweep",
    multiple=True,
    metavar="METHOD.KEY=VALUE,VALUE",
    help="Values of one setting to try; may be repeated. Several of one method are combined, each value with each.",
)
@click.option("--seeds", metavar="SEEDS", help="Fit every variant once with each of these seeds, separated by commas.")
@click.option(
    "--pick",
    is_flag=False,
    flag_value="",
    metavar="[RULE]",
    help="Choose a setting of each method on development items and report on the rest: share=0.3 (the default), validation, "
    "endpoint=language. FILE stands before it.",
)
@click.option("--yes", is_flag=True, help="Do not ask before a sweep of more than 64 variants.")
@click.option(
    "-b",
    "--backbone",
    multiple=True,
    metavar="NAME|HUB|PATH",
    help="Base model: short name, hub id or model folder. Several, each with this option, give one run each in one folder.",
)
@click.option(
    "-l",
    "--languages",
    default="zh",
    show_default=True,
    metavar="CODES",
    help="Target languages, separated by commas. English is added too; see --no-english.",
)
@click.option("--no-english", is_flag=True, help="Do not evaluate in English. Methods still use English training data.")
@click.option(
    "-t", "--tasks", metavar="NAMES", help="Tasks, separated by commas. Default: the paper's four tasks and open questions."
)
@click.option(
    "-p",
    "--profile",
    default="lens-paper",
    show_default=True,
    help="Protocol for prompts and scoring: see `lensbench ls profiles`.",
)
@click.option(
    "--data",
    metavar="DIR|embedded",
    help="Data folder, or `embedded` for the built-in set. Default: $LENSBENCH_DATA, else the hub.",
)
@include_option
@click.option("--config", "config_file", type=click.Path(path_type=Path), help="YAML file with the configuration of the methods.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Set one configuration value; may be repeated.")
@click.option("--limit", type=int, help="Maximum number of items per task and language.")
@click.option(
    "--num-fewshot", type=click.IntRange(min=0), help="Number of few-shot examples per item. Overrides the task's own number."
)
@click.option(
    "--max-new-tokens", type=click.IntRange(min=1), help="Maximum number of new tokens per answer. Overrides the profile's limit."
)
@click.option(
    "--batch-size", type=click.IntRange(min=1), default=16, show_default=True, help="Number of sequences per forward pass."
)
@click.option(
    "--engine",
    default=DEFAULT_ENGINE,
    show_default=True,
    metavar="NAME",
    help=f"Engine that scores and generates answers: {', '.join(engine_names())}. Engines of installed packages are included. "
    "See docs/engines.md.",
)
@click.option(
    "--data-parallel",
    type=click.IntRange(min=1),
    metavar="N",
    help="Number of accelerators that score and answer together. See docs/engines.md.",
)
@click.option(
    "--memory",
    metavar="SIZE",
    help="Memory for variants that are asked together, such as 8GiB. More variants are asked in groups. "
    "Default: half of what is free.",
)
@click.option("--device", default="auto", show_default=True, help="Device: auto, cpu, cuda, cuda:1 ...")
@click.option(
    "--dtype",
    default="auto",
    show_default=True,
    help="float32, bfloat16 or float16. `auto` is float32 on a CPU and bfloat16 on CUDA.",
)
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=42, show_default=True, help="Seed for sampling and training.")
@click.option("--revision", metavar="COMMIT", help="Hub commit of the backbone.")
@click.option(
    "--identifier",
    default="auto",
    show_default=True,
    metavar="NAME|PATH",
    help="Language identifier for answers: glotlid, lid176 or a model file.",
)
@click.option(
    "-j", "--judge", "judge", metavar="NAME|YAML", help="Judge that grades the answers. `lensbench judge` can do this later."
)
@click.option("--judge-model", metavar="NAME", help="Model to use instead of the judge's own.")
@click.option("--base-url", metavar="URL", help="URL of an OpenAI-compatible server for the judge.")
@click.option("--max-usd", type=float, help="Maximum cost of judging, in US dollars.")
@click.option(
    "--english-margin",
    metavar="MARGIN",
    help="How large a loss in English counts as none: points of accuracy, or accuracy=2,language=1,rating=0.2. "
    "Default: 1 point, 1 point and 0.1.",
)
@click.option(
    "--tracker",
    metavar="NAME",
    help="Experiment tracker that gets a copy of options, progress, endpoints, costs and reports: mlflow, trackio or wandb. "
    "Default: none.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="RUN",
    help="Run folder. Default: a folder in runs/ named after the options.",
)
@click.option(
    "--resume",
    is_flag=True,
    help="Continue an existing run; fail if there is none. Interrupted runs continue without this flag too.",
)
@click.option("--no-cache", is_flag=True, help="Do all work anew. Neither use nor keep finished work: see `lensbench cache`.")
@click.option("--dry-run", is_flag=True, help="Show the plan, check that its data are available, and stop.")
@click.option("--system", metavar="TEXT", help="System prompt for models given as folder or hub id. See docs/engines.md.")
@click.option(
    "--trust-tasks", "--trust", "trust_tasks", is_flag=True, help="Allow Python code that task files name with !function."
)
@click.option("--trust-model", is_flag=True, help="Allow Python code that comes with a model folder or hub id.")
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON instead of the table.")
@log_options
def command(**options: Any) -> None:
    """Fit a method, score the untouched backbone and the enhanced model on the same items, print one table.

    FILE is a run as YAML, or the name of an experiment that ships. Options on the command line win over it.

    \b
    Examples:
      lensbench run --method lens --backbone smollm2-135m --languages zh --data embedded
      lensbench run --method lens --backbone llama3-8b                   English and Chinese, from the hub
      lensbench run --method lens --backbone llama3-8b --languages zh,ja,ko,ar,bn,sw
      lensbench run --method lens,xsft,incline --backbone llama3-8b --variant chinese-llama3-8b-v3 --variant mine=path/to/model
      lensbench run --method lens --variant wide=lens:start_layer=25,rank=1 --variant lens:seed=1 --backbone llama3-8b
      lensbench run --method lens --backbone smollm2-135m --sweep lens.start_layer=27,29 --sweep lens.rank=1,2 -l zh,ja --seeds 0
      lensbench run layers-smollm2 --pick                                choose the start layer on 30% of the source items
      lensbench run --method lens --backbone llama3-8b --tasks mt_bench --judge gpt-4o --max-usd 5
      lensbench run layers-smollm2 --limit 20                            an experiment; or FILE.yaml, or RUN/run.yaml of a run
      lensbench run --method lens --backbone llama3-8b --backbone phi3.5-mini
      lensbench run --backbone ./my-model --tasks xcopa,xstory_cloze --profile lm-eval --limit 50 --out RUN
    """
    from lensbench.api import evaluate, is_worker, plan_backbones, plan_run
    from lensbench.cli.render import print_json, print_run, print_view
    from lensbench.cli.run_backbones import run_backbones

    further = ("data_parallel", "memory", "judge", "judge_model", "base_url", "max_usd", "english_margin", "tracker", "out")
    given = {**choices_of(options), **{name: options[name] for name in (*further, "identifier")}}
    given["cache"] = not options["no_cache"]
    choices = with_file(options["file"], given)
    backbones, identifier = choices.pop("backbone"), choices.pop("identifier")
    several = len(backbones) > 1
    if options["dry_run"]:
        plan = _confirmed(partial(plan_backbones, backbones) if several else partial(plan_run, backbones[0]), choices)
        if is_worker():
            return
        if options["as_json"]:
            print_json(all_with_flags(plan.as_dict()))
        else:
            print_view(plan.view())
        plan.check()
        return
    progress = None if is_worker() else progress_of(options["quiet"], options["verbose"], options["log"])
    if several:
        given = {"resume": options["resume"], "identifier": identifier, "progress": progress}
        run_backbones(lambda call: _confirmed(partial(call, backbones, **given), choices), options["as_json"])
        return
    failure: LensbenchError | None = None
    try:
        call = partial(evaluate, backbones[0], resume=options["resume"], identifier=identifier, progress=progress)
        run = _confirmed(call, choices)
    except LensbenchError as error:
        # A method that failed leaves the other variants to be looked at.
        if getattr(error, "run", None) is None:
            raise
        run, failure = error.run, error  # type: ignore[attr-defined]
    if is_worker():
        return
    if options["as_json"]:
        print_json(run.results)
    else:
        print_run(run)
        echo(f"\nreport: {run.folder / 'report.html'} (in brief: report.md)")
    if failure is not None:
        raise failure


_OPTIONS = {"config": "config_file", "cache": "no_cache", "english": "no_english", "methods": "method"}
"""Arguments of which the option has another name in click."""


def with_file(path: str | None, given: dict[str, Any]) -> dict[str, Any]:
    """All arguments of a run: those of its file, and over them the options that were written on the command line.

    `backbone` is a list.

    Args:
        given: Argument -> value of its option, also where that is only the default.

    Raises:
        UsageError: see `read_run_file`.
        click.UsageError: neither the file nor the command line names a backbone.
    """
    from lensbench.api import read_run_file

    context = click.get_current_context()
    choices = {"backbone": list(context.params["backbone"]), **given}
    for name, value in (read_run_file(path) if path is not None else {}).items():
        if name == "overrides":
            # Of equal keys the last one counts.
            choices[name] = (*value, *choices[name])
        elif name in choices and context.get_parameter_source(_OPTIONS.get(name, name)) is ParameterSource.DEFAULT:
            choices[name] = [value] if name == "backbone" and isinstance(value, str) else value
    if not choices["backbone"]:
        raise click.UsageError("Missing option '-b' / '--backbone'.", context)
    return choices


def choices_of(options: dict[str, Any]) -> dict[str, Any]:
    """Arguments that `run` and `fetch` share, for the API."""
    return {
        "methods": [name for names in options["method"] for name in split_names(names)],
        "seeds": _seeds(options["seeds"]),
        "languages": split_names(options["languages"]),
        "english": not options["no_english"],
        "tasks": None if options["tasks"] is None else split_names(options["tasks"]),
        "config": options["config_file"],
        **{
            key: options[key]
            for key in (
                "variants",
                "sweep",
                "pick",
                "yes",
                "profile",
                "data",
                "include",
                "overrides",
                "limit",
                "num_fewshot",
                "max_new_tokens",
                "batch_size",
                "engine",
                "device",
                "dtype",
                "seed",
                "system",
                "trust_tasks",
                "trust_model",
                "revision",
            )
        },
    }


def _seeds(text: str | None) -> list[int] | None:
    """`0,1,2`.

    Raises:
        UsageError: a part that is no whole number.
    """
    if text is None:
        return None
    try:
        return [int(part) for part in split_names(text)]
    except ValueError:
        raise UsageError(f"--seeds takes whole numbers separated by commas, found '{text}'", "Example: --seeds 0,1,2") from None


def _confirmed(call: Callable[..., Any], choices: dict[str, Any]) -> Any:
    """Call with these choices; of a sweep with very many variants, ask on a terminal and call again."""
    from lensbench.api import TooManyVariants, is_worker

    try:
        return call(**choices)
    except TooManyVariants as error:
        if is_worker() or not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise
        echo(f"The sweep makes {error.count:,} variants, and each is fitted and evaluated. Go on? [y/N] ", err=True, nl=False)
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            raise
    return call(**{**choices, "yes": True})

"""`lensbench run`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lensbench.cli.log_options import log_options, progress_of
from lensbench.cli.terminal import echo
from lensbench.engines.registry import DEFAULT as DEFAULT_ENGINE
from lensbench.engines.registry import engine_names
from lensbench.errors import UnavailableError, UsageError

if TYPE_CHECKING:
    from lensbench.plan.fetch import Need
    from lensbench.plan.request import RunRequest

_DTYPES = ("auto", "float32", "bfloat16", "float16")


@click.command(epilog="Exit codes: 0 done, 1 the run failed, 2 the command was wrong, 130 stopped; the same command goes on.")
@click.option("-m", "--method", metavar="NAMES", help="Methods to fit, by comma; none: only the untouched backbone is scored.")
@click.option("--variant", "variants", multiple=True, metavar="NAME=HUB|PATH", help="Score this checkpoint too; may be repeated.")
@click.option("-b", "--backbone", required=True, metavar="NAME|HUB|PATH", help="Short name, hub id or model folder.")
@click.option(
    "-l", "--languages", default="zh", show_default=True, metavar="CODES", help="Target languages; English is there too."
)
@click.option("--no-english", is_flag=True, help="Ask nothing in English; methods still learn from it.")
@click.option("-t", "--tasks", metavar="NAMES", help="Tasks, by comma; default: the paper's four and open questions.")
@click.option("-p", "--profile", default="lens-paper", show_default=True, help="How items are asked and scored.")
@click.option("--data", metavar="DIR|embedded", help="Data folder (else $LENSBENCH_DATA, else the hub), or the embedded set.")
@click.option(
    "--include-path", "include", multiple=True, type=click.Path(path_type=Path), help="Further task folder; may be repeated."
)
@click.option("--config", "config_file", type=click.Path(path_type=Path), help="YAML with the method's configuration.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="One configuration value; may be repeated.")
@click.option("--limit", type=int, help="At most this many items per task and language.")
@click.option("--num-fewshot", type=click.IntRange(min=0), help="Examples before each item, in place of the task's own number.")
@click.option("--max-new-tokens", type=click.IntRange(min=1), help="Cut answers there, not where the profile does.")
@click.option("--batch-size", type=click.IntRange(min=1), default=16, show_default=True, help="Sequences per forward pass.")
@click.option(
    "--engine",
    default=DEFAULT_ENGINE,
    show_default=True,
    metavar="NAME",
    help=f"Engine that scores: {', '.join(engine_names())}. With `vllm` it also generates the answers. docs/engines.md.",
)
@click.option(
    "--data-parallel", type=click.IntRange(min=1), metavar="N", help="Score and answer on N accelerators; docs/engines.md."
)
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, cuda:1 ...")
@click.option("--dtype", default="auto", show_default=True, help="float32, bfloat16 or float16; auto: fp32 on CPU, bf16 on CUDA.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=42, show_default=True, help="Of sampling and training.")
@click.option("--revision", metavar="COMMIT", help="Hub revision of the backbone.")
@click.option(
    "--identifier", default="auto", show_default=True, metavar="NAME|PATH", help="Of answers' languages: glotlid, lid176, a file."
)
@click.option("-j", "--judge", "judge", metavar="NAME|YAML", help="Grade the answers too; else `lensbench judge` does it later.")
@click.option("--judge-model", metavar="NAME", help="In place of the judge's model.")
@click.option("--base-url", metavar="URL", help="The judge's OpenAI-compatible server.")
@click.option("--max-usd", type=float, help="The most that judging may cost.")
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="RUN", help="Run folder; default: runs/ and a name made from the options."
)
@click.option(
    "--resume", is_flag=True, help="Only go on with a run that is there; a run that was killed also goes on without this."
)
@click.option("--dry-run", is_flag=True, help="Show the plan, look whether its data are to be had, and stop.")
@click.option("--system", metavar="TEXT", help="System text of models given as folder or hub id; docs/engines.md.")
@click.option("--trust-tasks", "--trust", "trust_tasks", is_flag=True, help="Let !function in task YAML run.")
@click.option("--trust-model", is_flag=True, help="Let Python code of a model given as folder or hub id run.")
@click.option("--json", "as_json", is_flag=True, help="Print results.json instead of the table.")
@log_options
def command(**options: Any) -> None:
    """Fit a method, score the untouched backbone and the enhanced model on the same items, print one table.

    \b
    Examples:
      lensbench run --method lens --backbone smollm2-135m --languages zh --data embedded
      lensbench run --method lens --backbone llama3-8b                   the paper's bilingual set-up, from the hub
      lensbench run --method lens --backbone llama3-8b --languages zh,ja,ko,ar,bn,sw
      lensbench run --method lens,xsft,incline --backbone llama3-8b --variant chinese-llama3-8b-v3 --variant mine=path/to/model
      lensbench run --method lens --backbone llama3-8b --tasks mt_bench --judge gpt-4o --max-usd 5
      lensbench run --backbone ./my-model --tasks xcopa,xstory_cloze --profile lm-eval --limit 50 --out RUN
    """
    from lensbench.executors.launch import check_devices, check_options, find_place, joined
    from lensbench.plan.plan import make_plan

    plan = make_plan(request_of(options))
    place = find_place(options["data_parallel"])
    check_options(place, plan.spec.device, plan.spec.engine)
    judging = None
    if options["judge"]:
        from lensbench.cli.judge import judge_request

        if not any(p.task.profile.scoring == "judged" for p in plan.tasks):
            raise UsageError("--judge: none of the tasks is judged", "Ask one of profile mt-bench: --tasks mt_bench")
        wanted = {"name": options["judge"], "model": options["judge_model"]}
        judging = judge_request({**wanted, "base_url": options["base_url"], "max_usd": options["max_usd"]})
    out = options["out"] or default_out(plan)
    if options["dry_run"]:
        if place.rank == 0:
            show_plan(plan, out, as_json=options["as_json"], ranks=place.count)
        return
    from lensbench.cli.render import print_json, print_results
    from lensbench.hub import shown_by
    from lensbench.quiet import quiet_libraries
    from lensbench.stages.fit import MethodsFailed

    if place.count > 1:
        # torch's own words on a rank that is gone are a stack of C++ frames, and it reads this once.
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
        from lensbench.backbones.load import pick_device

        check_devices(place, pick_device(plan.spec.device))
    if place.rank:
        with joined(place) as ranks:
            from lensbench.methods.base import SilentProgress
            from lensbench.stages.run import run

            quiet_libraries()
            run(plan, out, SilentProgress(), ranks=ranks)
        return
    progress = progress_of(options["quiet"], options["verbose"], options["log"])
    failure: MethodsFailed | None = None
    try:
        with joined(place) as ranks:
            # Here, so that all ranks load their libraries at the same time.
            from lensbench.stages.run import run

            quiet_libraries()
            with shown_by(progress):
                run(
                    plan,
                    out,
                    progress,
                    resume_only=options["resume"],
                    judging=judging,
                    identifier=options["identifier"],
                    ranks=ranks,
                )
    except MethodsFailed as error:
        # The other variants are there to be looked at.
        failure = error
    from lensbench.records import RunFolder

    results = RunFolder.existing(out).read_json("results.json")
    if options["as_json"]:
        print_json(results)
    else:
        print_results(results)
        echo(f"\nreport: {out / 'report.html'} (in brief: report.md)")
    if failure is not None:
        raise failure


def request_of(options: dict[str, Any]) -> RunRequest:
    """What the options ask for.

    Raises:
        UsageError: an option that names nothing.
    """
    from lensbench.datasets.sources import EMBEDDED
    from lensbench.languages import add_languages, parse_languages
    from lensbench.plan.request import RunRequest

    data = options["data"]
    add_languages([*options["include"], *([Path(data)] if data and data != EMBEDDED else [])])
    if options["dtype"] not in _DTYPES:
        raise UsageError(f"--dtype: unknown dtype '{options['dtype']}'", f"Known: {', '.join(_DTYPES)}.")
    tasks = options["tasks"]
    if tasks is not None and not tasks.strip():
        raise UsageError("--tasks names no task", "Example: --tasks xcopa,xstory_cloze")
    return RunRequest(
        backbone=options["backbone"],
        methods=tuple(m.strip() for m in (options["method"] or "").split(",") if m.strip()),
        languages=parse_languages(options["languages"]),
        english=not options["no_english"],
        tasks=tuple(t.strip() for t in tasks.split(",") if t.strip()) if tasks else None,
        **{
            key: options[key]
            for key in (
                "variants",
                "profile",
                "data",
                "include",
                "config_file",
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
    )


def default_out(plan: Any) -> Path:
    """`runs/<variants>-<backbone>-<languages>-<hash>`: the same options name the same folder, so the same command goes on."""
    spec = plan.spec
    backbone = spec.backbone.rstrip("/").split("/")[-1]
    compared = "+".join([c.method for c in spec.methods] + [c.variant for c in spec.externals]) or "base"
    return Path("runs") / "-".join([compared, backbone, "_".join(spec.languages) or "en", spec.digest])


def show_plan(plan: Any, out: Path, *, as_json: bool, ranks: int = 1) -> None:
    from lensbench.cli.needs import say_not_pinned, show_needs
    from lensbench.cli.render import print_json, print_table
    from lensbench.plan.memory import plan_memory

    memory = plan_memory(plan)
    unseen = None
    try:
        from lensbench.plan.fetch import look_at_needs

        needs = look_at_needs(plan)
    except ImportError as error:
        # The core alone plans; it has nothing to look with.
        needs, unseen = [], f"what it reads from the hub was not looked at: the package '{error.name}' is missing"
    if as_json:
        content = {"out": str(out), "ranks": ranks, "spec": plan.spec.model_dump(mode="json"), "gaps": list(plan.gaps)}
        memory_planned = memory.as_dict() if memory else None
        print_json({**content, "planned_memory": memory_planned, "needs": [need.as_dict() for need in needs]})
        _refuse_missing(needs)
        return
    spec = plan.spec
    echo(f"method    {', '.join(c.method for c in spec.methods) or '(none: only the backbone)'}")
    echo(f"backbone  {plan.backbone.title}")
    for name, other in plan.externals.items():
        echo(f"variant   {name}: {other.title}")
    echo(f"languages {', '.join(spec.all_languages)}")
    echo(f"data      {plan.source.describe()}")
    echo(f"run       {out}{' (exists: it goes on)' if (out / 'run.json').is_file() else ''}")
    if ranks > 1:
        echo(f"ranks     {ranks}: each scores and answers its part; rank 0 fits, judges and writes")
    rows = [
        (
            p.task.name,
            p.task.language.code,
            p.task.profile.profile,
            p.rows or "its own data set",
            p.task.split,
            p.task.protocol_hash(),
        )
        for p in plan.tasks
    ]
    print_table(("task", "lang", "profile", "rows", "split", "protocol"), rows)
    for gap in plan.gaps:
        echo(f"not available: {gap}")
    echo("planned memory (a plan, not a measurement: weights and training states; activations come on top)")
    if memory is None:
        echo("  not known before the backbone is fetched")
    else:
        each = " on each rank" if ranks > 1 else ""
        weights = f"{memory.parameters:,} parameters of {memory.weight_bytes} bytes"
        echo(f"  scoring: {memory.scoring / 2**30:,.1f} GiB{each} ({weights})")
        for name, floor in memory.fits.items():
            echo(f"  fitting {name}: " + ("not known" if floor is None else f"at least {floor / 2**30:,.1f} GiB"))
    for choice in spec.methods:
        echo(f"configuration of {choice.method}:")
        for key, value in choice.config.items():
            echo(f"  {key}: {value}")
    if unseen:
        echo(unseen)
    show_needs(needs)
    say_not_pinned(needs)
    _refuse_missing(needs)


def _refuse_missing(needs: list[Need]) -> None:
    """A run that is sure to fail is refused here; a hub that is out of reach at this moment is not that."""
    missing = [need for need in needs if need.sure]
    if missing:
        raise UnavailableError(f"{len(missing)} of {len(needs)} things that the run reads cannot be had", missing[0].problem)

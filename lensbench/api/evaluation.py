"""One call that fits methods, evaluates every variant on the same items and writes a run folder."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lensbench.api.arguments import a_path, a_size
from lensbench.api.finished_work import check_cache
from lensbench.api.judging import judge_of_run
from lensbench.api.margins import english_margins
from lensbench.api.reporting_to import progress_or_default
from lensbench.api.requests import default_folder, run_request
from lensbench.api.run_files import text_of_run
from lensbench.progress import Progress

if TYPE_CHECKING:
    from lensbench.api.method_objects import MethodObject
    from lensbench.api.run import Run

__all__ = ["evaluate", "is_worker"]


def evaluate(
    backbone: str | os.PathLike[str],
    *,
    methods: Sequence[str | MethodObject] | Mapping[str, Mapping[str, Any]] = (),
    variants: Sequence[str] | Mapping[str, str | os.PathLike[str] | MethodObject] = (),
    sweep: Mapping[str, Sequence[Any]] | Sequence[Mapping[str, Sequence[Any]]] | Sequence[str] | None = None,
    seeds: Sequence[int] | None = None,
    pick: bool | str | Mapping[str, Any] | None = None,
    yes: bool = False,
    languages: Sequence[str] = ("zh",),
    english: bool = True,
    tasks: Sequence[str] | None = None,
    profile: str = "lens-paper",
    data: str | os.PathLike[str] | None = None,
    include: Sequence[str | os.PathLike[str]] = (),
    config: Mapping[str, Any] | str | os.PathLike[str] | None = None,
    overrides: Sequence[str] = (),
    limit: int | None = None,
    num_fewshot: int | None = None,
    max_new_tokens: int | None = None,
    batch_size: int = 16,
    engine: str = "tree",
    data_parallel: int | None = None,
    memory: int | str | None = None,
    device: str = "auto",
    dtype: str = "auto",
    seed: int = 42,
    revision: str | None = None,
    system: str | None = None,
    identifier: str = "auto",
    judge: str | os.PathLike[str] | None = None,
    judge_model: str | None = None,
    base_url: str | None = None,
    max_usd: float | None = None,
    english_margin: float | str | None = None,
    out: str | os.PathLike[str] | None = None,
    resume: bool = False,
    cache: bool = True,
    trust_tasks: bool = False,
    trust_model: bool = False,
    tracker: str | None = None,
    progress: Progress | None = None,
) -> Run:
    """Fit methods, ask the untouched backbone and every variant the same items, and summarise.

    The same call goes on where an earlier one stopped, and asks nothing twice. A folder that holds a run with other choices is
    refused and the difference is shown; nothing is overwritten.

    Args:
        backbone: Short name, hub id or model folder. `list_backbones()` has the short names.
        methods: Methods to fit, by name or as objects such as `Lens(rank=1)`; or name -> settings. Several objects of one
            method are variants with names made of their settings (`lens[seed=1]`). None: only the untouched backbone is asked.
        variants: Further variants: name -> method object, or -> hub id or folder of another checkpoint; or as text, as the
            command line takes them (`wide=lens:start_layer=25,rank=1`, `mine=path/to/model`).
        sweep: Settings to try: `{"lens.start_layer": [26, 27], "lens.push_strength": [0.5, 1]}` makes four variants, in place of
            the one with the method's own settings. A list of such mappings is tried one after the other; texts are as the
            command line takes them (`lens.start_layer=26,27`).
        seeds: Fit every variant once with each of these seeds; None: with the seed that it has.
        pick: Choose a setting of each method on development items, and report on the rest: True, or a rule such as "share=0.3",
            "validation" or "share=0.5,endpoint=language", or `{"share": 0.3}`. None keeps the rule of the run, at first none.
            It changes no answer and no score, but "validation" asks more items; `Run.set_pick` changes it later.
        yes: Whether a sweep may make more than 64 variants.
        languages: Codes of the target languages.
        english: Whether items are also asked in English; methods learn from it in any case.
        tasks: Names; None takes the paper's four tasks and open questions.
        profile: How items are asked and scored; see `list_profiles()`.
        data: Folder with rows, or "embedded"; None reads $LENSBENCH_DATA, else the hub.
        include: Further task folders.
        config: Settings of the methods: a mapping, or a YAML file. With several methods one mapping for each.
        overrides: Single settings as `KEY=VALUE`, the value read as YAML; they are applied last.
        limit: At most this many items per task and language.
        num_fewshot: Examples before each item; None is the task's own number.
        max_new_tokens: Tokens per answer at most; None is the profile's limit.
        batch_size: Sequences per forward pass.
        engine: What scores; see `list_engines()`.
        data_parallel: Score and answer on so many accelerators of this machine.
        memory: For the enhancements of variants that are asked together, in bytes or as text ("8GiB"); what does not fit is
            asked in several groups. None is half of what is free. It changes no score.
        device: "auto", "cpu", "cuda", "cuda:1".
        dtype: "auto" (float32 on a CPU, bfloat16 on CUDA), "float32", "bfloat16" or "float16".
        seed: For sampling and training.
        revision: Hub commit of the backbone.
        system: System text of models given as folder or hub id.
        identifier: Language identifier for the answers: "auto", "glotlid", "lid176" or a fastText file.
        judge: Judge that grades the answers, by name or as a YAML file; None leaves them for `Run.judge`.
        judge_model: Model to ask in place of the judge's.
        base_url: The judge's OpenAI-compatible server.
        max_usd: The most that judging may cost.
        english_margin: How large a loss in English counts as none: points of accuracy, or a text such as
            "accuracy=2,language=1,rating=0.2". None keeps those of the run, at first 1 point, 1 point and 0.1. It changes no
            answer and no score; `Run.set_english_margin` changes it later.
        out: Run folder; None makes `runs/` and a name from the choices.
        resume: Continue an existing run; fail if there is none.
        cache: Take scores, answers and fits that an earlier run has finished in the same way, and keep those of this run for
            later ones.
        trust_tasks: Let `!function` in task files run Python code.
        trust_model: Let Python code of models given as folder or hub id run.
        tracker: Experiment tracker that gets a copy of options, progress, endpoints, costs and reports: "mlflow", "trackio" or
            "wandb". None: nothing is sent or written anywhere.
        progress: Where stages report to; None shows bars.

    Returns:
        The run. Under torchrun, ranks other than 0 only help: what they return may not be finished yet (`is_worker`).

    Raises:
        UsageError: a wrong type, an unknown name (with the nearest), choices that contradict each other, or a folder that holds
            another run.
        UnavailableError: rows, weights, a package or the judge is not available.
        MethodsFailed: a method could not be fitted. The other variants are finished; the error's `run` has them.
        RunError: a stage failed; what was finished stays, and the same call goes on.
    """
    from lensbench.api.run import Run
    from lensbench.executors.launch import check_devices, check_options, find_place, joined
    from lensbench.plan.plan import make_plan
    from lensbench.quiet import quiet_libraries
    from lensbench.trackers import open_tracker, tracked

    request = run_request(
        backbone,
        {
            "methods": methods,
            "variants": variants,
            "sweep": sweep,
            "seeds": seeds,
            "pick": pick,
            "yes": yes,
            "languages": languages,
            "english": english,
            "tasks": tasks,
            "profile": profile,
            "data": data,
            "include": include,
            "config": config,
            "overrides": overrides,
            "limit": limit,
            "num_fewshot": num_fewshot,
            "max_new_tokens": max_new_tokens,
            "batch_size": batch_size,
            "engine": engine,
            "device": device,
            "dtype": dtype,
            "seed": seed,
            "revision": revision,
            "system": system,
            "trust_tasks": trust_tasks,
            "trust_model": trust_model,
        },
    )
    margins = english_margins(english_margin)
    room = a_size("memory", memory)
    opened = open_tracker(tracker) if tracker is not None and not is_worker() else None
    plan = make_plan(request)
    place = find_place(data_parallel)
    check_options(place, plan.spec.device, plan.spec.engine)
    judging = judge_of_run(plan, judge, judge_model, base_url, max_usd)
    target = a_path("out", out) if out is not None else default_folder(plan.spec)
    check_cache(cache)
    run_file = text_of_run(
        request,
        plan,
        data_parallel=data_parallel,
        memory=memory,
        identifier=identifier,
        judge=judge,
        judge_model=judge_model,
        base_url=base_url,
        max_usd=max_usd,
        english_margin=english_margin,
        cache=None if cache else False,
        tracker=tracker,
    )
    if place.count > 1:
        # torch's own words on a rank that is gone are a stack of C++ frames, and it reads this once.
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
        from lensbench.backbones.load import pick_device

        check_devices(place, pick_device(plan.spec.device))
    worker = worker_command(request, target)
    if place.rank:
        with joined(place, worker) as ranks:
            from lensbench.methods.base import SilentProgress
            from lensbench.stages.run import run

            quiet_libraries()
            run(plan, target, SilentProgress(), ranks=ranks)
        return Run(target)
    from lensbench.hub import shown_by

    reporter = progress_or_default(progress)
    with joined(place, worker) as ranks:
        # Here, so that all ranks load their libraries at the same time.
        from lensbench.stages.fit import MethodsFailed
        from lensbench.stages.run import run

        quiet_libraries()
        try:
            spec = plan.spec.model_dump(mode="json")
            with shown_by(reporter), tracked(opened, spec, target, reporter) as heard:
                run(
                    plan,
                    target,
                    heard,
                    resume_only=resume,
                    judging=judging,
                    identifier=identifier,
                    margins=margins,
                    run_file=run_file,
                    memory=room,
                    cache=cache,
                    ranks=ranks,
                )
        except MethodsFailed as error:
            error.run = Run(target)  # type: ignore[attr-defined]
            raise
    return Run(target)


def is_worker() -> bool:
    """Whether torchrun started this process as a rank other than 0."""
    from lensbench.executors.launch import find_place

    return find_place(None).rank > 0


def worker_command(request: Any, target: Path) -> list[str]:
    """Command that starts one more rank of a run on this machine."""
    from pydantic import TypeAdapter

    text = TypeAdapter(type(request)).dump_json(request).decode()
    return [sys.executable, "-m", "lensbench.stages.worker", text, str(target)]

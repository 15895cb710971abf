"""Scores and answers by vLLM: one engine for each variant, one after the other, on a folder that holds it merged."""

from __future__ import annotations

import functools
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import fields
from pathlib import Path
from typing import Any

from lensbench.backbones.load import LoadedBackbone
from lensbench.engines.chat import encode_prompt
from lensbench.engines.reference.lm import LensLM
from lensbench.engines.vllm.engine import running
from lensbench.engines.vllm.lm import ReadsOtherwise, VllmLM
from lensbench.engines.vllm.package import find_vllm
from lensbench.memory import release
from lensbench.methods.base import Progress
from lensbench.plan.task_items import TaskItems
from lensbench.records import RunFolder
from lensbench.stages.answer import answer_stage
from lensbench.stages.merge import save_model
from lensbench.stages.score import score_stage
from lensbench.stages.variants import Variant

__all__ = ["ask_vllm", "window_of"]

_STEP = 4096
"""Windows are multiples of this. A model with LongRoPE is read by vLLM as a long one, whatever the input, where the window is
longer than the one it was first trained with: 4096 for those known."""
_TEMPLATE = 64
"""Tokens that a chat template puts around one turn, at most."""


def ask_vllm(
    lm: LensLM,
    variants: Sequence[Variant],
    closed: Sequence[TaskItems],
    opened: Sequence[TaskItems],
    folder: RunFolder,
    progress: Progress,
    *,
    seed: int,
    trust: bool,
) -> None:
    """Score and answer what is not in the logs yet, variant by variant.

    A variant that cannot be merged, and one that vLLM reads otherwise than transformers does, is scored by the reference engine
    and answered by our own generation. An engine is started only where something is missing; while it runs, the model in
    transformers waits in the machine's own memory.

    Args:
        lm: The backbone that all variants belong to.
        closed: Tasks that are scored.
        opened: Tasks that are answered.

    Raises:
        RunError: vLLM does not start or stops; what was finished before is in the logs.
    """
    vllm = find_vllm(str(lm.loaded.device))
    window = window_of(lm, closed, opened)
    ask = functools.partial(_ask, closed=closed, opened=opened, folder=folder, progress=progress, seed=seed)
    for variant in variants:
        if variant.enhancement is not None and not variant.enhancement.mergeable:
            progress.notify(f"the reference engine scores {variant.name}, and vLLM does not answer it: it cannot be merged")
            ask(lm, variant, "reference")
            continue
        start = functools.partial(_engine, vllm, lm.loaded, variant, folder, progress, window=window, trust=trust)
        applied = functools.partial(variant.applied, lm.loaded, "en")
        try:
            with VllmLM(lm, vllm, start, applied, window=window) as merged:
                ask(merged, _Merged(**{one.name: getattr(variant, one.name) for one in fields(variant)}), "vllm")
        except ReadsOtherwise as error:
            progress.notify(f"the reference engine scores {variant.name}, and vLLM does not answer it: {error}")
            ask(lm, variant, "reference")


class _Merged(Variant):
    """A variant that the engine holds already; under the same name and keys."""

    def applied(self, loaded: LoadedBackbone, language: str) -> AbstractContextManager[None]:
        return nullcontext()


def _ask(
    lm: LensLM,
    variant: Variant,
    engine: str,
    *,
    closed: Sequence[TaskItems],
    opened: Sequence[TaskItems],
    folder: RunFolder,
    progress: Progress,
    seed: int,
) -> None:
    with folder.log("score") as log:
        score_stage(lm, [variant], closed, log, progress, engine=engine)
    if opened:
        with folder.log("answers") as log:
            answer_stage(lm, [variant], opened, folder, log, progress, seed=seed)


def window_of(lm: LensLM, closed: Sequence[TaskItems], opened: Sequence[TaskItems]) -> int:
    """Tokens of the longest input with what is generated behind it, rounded up; at most the model's own window.

    vLLM keeps memory for one input of the whole window, and chooses by it how a model with LongRoPE reads positions.
    """
    needed = 1
    for asked in closed:
        first = asked.planned.task.profile.scoring == "first_token"
        for item in asked.items:
            for request in item.requests:
                _, context, target = lm.token_request(*request, first_token=first)
                needed = max(needed, len(context) + len(target) + 1)
    for asked in opened:
        for item in asked.items:
            later = sum(len(lm.tok_encode(text)) for text in item.turns[1:])
            turns = max(len(item.turns), 1)
            answers = turns * (asked.planned.task.generation.max_new_tokens + _TEMPLATE)
            needed = max(needed, len(encode_prompt(lm.tokenizer, item.requests[0][0])) + later + answers)
    return min(lm.max_length, -(-needed // _STEP) * _STEP)


@contextmanager
def _engine(
    vllm: Any, loaded: LoadedBackbone, variant: Variant, folder: RunFolder, progress: Progress, *, window: int, trust: bool
) -> Iterator[Any]:
    """A running engine with this variant in it."""
    with ExitStack() as stack:
        model = loaded.checkpoint.path
        if variant.enhancement is not None:
            model = stack.enter_context(_merged(loaded, variant, folder.own("merged"), progress))
        dtype = str(loaded.model.dtype).removeprefix("torch.")
        stack.enter_context(_aside(loaded))
        started = time.perf_counter()
        llm = stack.enter_context(running(vllm, model, dtype=dtype, window=window, trust=trust and loaded.backbone.is_given))
        progress.notify(
            f"vLLM {vllm.__version__} holds {variant.name} ({dtype}, window of {window} tokens) after "
            f"{time.perf_counter() - started:.1f} s"
        )
        yield llm


@contextmanager
def _merged(loaded: LoadedBackbone, variant: Variant, target: Path, progress: Progress) -> Iterator[Path]:
    """The variant as a model folder while the context lasts.

    Raises:
        RunError: the disk is full.
    """
    # A run that was killed may have left one.
    shutil.rmtree(target, ignore_errors=True)
    try:
        with variant.applied(loaded, "en"):
            save_model(loaded.model, loaded.tokenizer, target)
        size = sum(file.stat().st_size for file in target.iterdir())
        progress.notify(f"{variant.name} is merged for vLLM: {size / 2**30:.2f} GiB in {target}, removed afterwards")
        yield target
    finally:
        shutil.rmtree(target, ignore_errors=True)


@contextmanager
def _aside(loaded: LoadedBackbone) -> Iterator[None]:
    """The accelerator without the model in transformers: vLLM wants nearly all of its memory."""
    device = loaded.device
    if device.type == "cpu":
        yield
        return
    loaded.model.to("cpu")
    release()
    try:
        yield
    finally:
        loaded.model.to(device)

"""The fitting stage: training data of each method, its overlap with evaluated items, and the enhancements."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch

from lensbench.backbones.lazy import LazyBackbone
from lensbench.backbones.load import LoadedBackbone
from lensbench.errors import LensbenchError, RunError, in_words
from lensbench.jsonio import JsonObject
from lensbench.languages import CENTRAL
from lensbench.memory import release
from lensbench.methods import load_method
from lensbench.methods.base import Enhancement, Fit, KeptStates, Progress, TrainingData
from lensbench.methods.check import Snapshot, check_enhancement, difference, take_snapshot
from lensbench.methods.corpora.overlap import TrainingIndex, find_overlap
from lensbench.methods.failures import errors_in_words
from lensbench.plan.plan import Plan
from lensbench.plan.task_items import TaskItems
from lensbench.plan.variants import PlannedVariant
from lensbench.records import RunFolder, TaskKey
from lensbench.safenames import folder_name
from lensbench.stages.shared_fits import SharedFits
from lensbench.stages.stored import load_stored

__all__ = ["MethodsFailed", "fit_stage", "load_corpora", "report_overlap"]

_OVERLAP = "overlap.json"


class MethodsFailed(RunError):
    """The run is finished, but for the variants that could not be fitted."""


def load_corpora(plan: Plan, folder: RunFolder, pinned: dict[str, str]) -> dict[str, TrainingData | None]:
    """What each variant learns from, and its hub commits into `pinned`; None where there is nothing left to fit."""
    found: dict[str, TrainingData | None] = {}
    for name, variant in plan.variants.items():
        if (folder.enhancement(name) / "card.json").is_file():
            found[name] = None
            continue
        revisions = {key.removeprefix("rows:"): value for key, value in pinned.items() if key.startswith("rows:")}
        method = load_method(variant.method)
        with errors_in_words(f"{name}: loading the training data", method):
            corpora = method.corpora(plan.source, (CENTRAL, *plan.spec.languages), variant.config, revisions)
        pinned.update(
            {
                f"rows:{TaskKey.parse(key).task}": o.revision
                for key, o in corpora.origins.items()
                if o.kind == "hub" and o.revision
            }
        )
        found[name] = corpora
    return found


def report_overlap(
    plan: Plan, folder: RunFolder, corpora: Mapping[str, TrainingData | None], tasks: Sequence[TaskItems], progress: Progress
) -> None:
    """Say which evaluated items a variant learns from, before any score is there; a fit that is loaded keeps its first report."""
    before = folder.read_json(_OVERLAP) if folder.has(_OVERLAP) else []
    stored = {(o.get("variant", o["method"]), o["task"], o["language"]): o for o in before}
    for variant, learned in corpora.items():
        if learned is None:
            continue
        method, index = plan.variants[variant].method, TrainingIndex(learned.texts())
        for asked in tasks:
            name, language = asked.planned.task.name, asked.planned.task.language.code
            found = find_overlap(method, index, name, language, ((item.doc_id, item.doc) for item in asked.items))
            own = {"variant": variant} if variant != method else {}
            stored[variant, name, language] = {**found.as_dict(), **own}
            if found.sharing:
                shared = f"{found.sharing} of {found.items} items share a word sequence"
                progress.notify(f"! {name}/{language}: {shared} with what {variant} learns from")
    if stored:
        folder.write_json(_OVERLAP, list(stored.values()))


def fit_stage(
    plan: Plan,
    folder: RunFolder,
    model: LazyBackbone,
    corpora: Mapping[str, TrainingData | None],
    progress: Progress,
    kept_of: Callable[[str], KeptStates | None] = lambda method: None,
) -> tuple[dict[str, Enhancement], dict[str, str]]:
    """Every variant's enhancement, as saved by this start or an earlier one.

    What was fitted is checked and saved, and let go of until all fits are done: no fit's memory counts against the next one's,
    and what is scored is what lies on disk. A fit that fails leaves the others be.

    Args:
        kept_of: What earlier runs kept of a method's fits; None if nothing is kept.

    Returns:
        Enhancements by variant, and what went wrong by variant.

    Raises:
        LensbenchError: nothing could be fitted; the first variant's error.
    """
    made: dict[str, Enhancement] = {}
    errors: dict[str, LensbenchError] = {}
    waiting = {name: (variant, data) for name, variant in plan.variants.items() if (data := corpora[name]) is not None}
    with SharedFits(waiting, kept_of) as together:
        for name, (variant, data) in waiting.items():
            try:
                with _memory_as_error(name):
                    release()
                    _fit(variant, plan.spec.languages, folder, model, data, together, progress)
            except LensbenchError as error:
                errors[name] = error
                if len(plan.variants) > 1:
                    progress.notify(f"! {name} could not be fitted: {error.message}")
    if errors and len(errors) == len(plan.variants):
        raise next(iter(errors.values()))
    for choice in plan.spec.variants:
        if choice.name not in errors:
            with errors_in_words(f"{choice.name}: loading the saved enhancement", load_method(choice.method)):
                made[choice.name] = load_stored(folder, choice, model.checkpoint.digest)
    return made, {name: in_words(error.message) for name, error in errors.items()}


def _fit(
    variant: PlannedVariant,
    languages: Sequence[str],
    folder: RunFolder,
    model: LazyBackbone,
    corpora: TrainingData,
    together: SharedFits,
    progress: Progress,
) -> None:
    """Fit, test and save one variant; a backbone that is not as it was afterwards is read from disk again."""
    loaded = model.loaded()
    before = take_snapshot(loaded)
    try:
        fit = together.fit_of(variant.name, loaded)
        _fit_on(variant, (CENTRAL, *languages), folder, loaded, before, corpora, fit, progress)
    except Exception:
        if difference(loaded, before) is not None:
            model.release()
        raise


def _fit_on(
    variant: PlannedVariant,
    languages: Sequence[str],
    folder: RunFolder,
    loaded: LoadedBackbone,
    before: Snapshot,
    corpora: TrainingData,
    fit: Fit,
    progress: Progress,
) -> None:
    name, method = variant.name, load_method(variant.method)
    home = folder.enhancement(name)
    try:
        with errors_in_words(f"{name}: the fit", method):
            enhancement = fit(loaded, corpora, variant.config, progress)
    except RunError as error:
        last_good = getattr(error, "delta", None)
        if last_good is not None:
            kept = folder.enhancement(f"{folder_name(name)}.diverged-at-step-{getattr(error, 'step', 0)}")
            last_good.save(kept)
            progress.notify(f"the last good state is in {kept}")
        raise
    with errors_in_words(f"{name}: the test of the enhancement", method):
        check_enhancement(name, loaded, enhancement, languages, before)
    with errors_in_words(f"{name}: saving the enhancement", method):
        enhancement.save(home)
    progress.notify(_cost_line(name, _card(name, home).get("cost", {})))


def _card(name: str, home: Path) -> JsonObject:
    """The card that a method has saved.

    Raises:
        RunError: there is none, or it is no JSON object.
    """
    card = home / "card.json"
    hint = "`save` must write card.json, a JSON object with the key `cost` (lensbench.Cost(...).as_dict()), as its last file."
    if not card.is_file():
        raise RunError(f"{name}: the method saved no card.json in {home}", hint)
    try:
        found = json.loads(card.read_text(encoding="utf-8"))
    except ValueError as error:
        raise RunError(f"{name}: {card} is no JSON: {error}", hint) from None
    if not isinstance(found, dict) or not isinstance(found.get("cost", {}), dict):
        raise RunError(f"{name}: {card} is no JSON object with a mapping under `cost`", hint)
    return found


@contextmanager
def _memory_as_error(name: str) -> Iterator[None]:
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise RunError(
            f"{name}: the accelerator's memory was not enough ({str(error).splitlines()[0]})",
            "A smaller micro_batch or max_length, checkpointing=true, or lora_rank=8 need less.",
        ) from None


def _cost_line(name: str, cost: JsonObject) -> str:
    peak, floor = cost.get("peak_bytes"), cost.get("floor_bytes")
    memory = "peak memory unknown"
    if peak and floor:
        memory = f"peak memory {peak / 2**20:,.0f} MiB = {peak / floor:.2f} x floor ({floor / 2**20:,.0f} MiB)"
    taken = cost.get("cached_seconds") or 0
    other = f" ({taken:.0f} s of them were spent before)" if taken >= 0.5 else ""
    return (
        f"{name}: {cost.get('steps')} steps in {cost.get('wall_seconds', 0):.0f} s{other}, "
        f"{cost.get('trainable_share', 0):.2%} of the parameters trained, {memory}"
    )

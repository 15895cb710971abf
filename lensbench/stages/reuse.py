"""The store of finished work as one run uses it: what takes part, what was taken, and what is said of it."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from lensbench.backbones.lazy import LazyBackbone
from lensbench.jsonio import JsonObject
from lensbench.methods import get_method
from lensbench.plan.task_items import TaskItems
from lensbench.plugins import OURS
from lensbench.progress import Progress
from lensbench.records import RunFolder
from lensbench.reuse import Store, environment, key_of_content, open_store, package_code
from lensbench.spec import RunSpec
from lensbench.stages.variants import Variant

__all__ = ["Reuse", "begin_reuse", "environment_digest", "method_code"]

_REPEATABLE = ("tree", "reference")
"""Engines whose scores are the same to the last bit whenever they are computed. vLLM's depend on what shares its batches, and of
another package's engine the code is not known."""
_PROVENANCE = "provenance.json"
_NAMES = {
    "scores": "scores",
    "answers": "answers",
    "identified": "identified conversations",
    "fits": "fits",
    "states": "rows of states",
}


class Reuse:
    """The store in one start of a run, on rank 0.

    Attributes:
        taken: Scores, answers, conversations and fits that were not computed in this start.
        whole: Whether earlier starts of this run computed as this one does, so that their records can be kept too.
    """

    def __init__(self, store: Store, spec: RunSpec, *, whole: bool) -> None:
        self.store, self._spec, self.whole = store, spec, whole
        self.taken: Counter[str] = Counter()
        self._noted: Mapping[str, int] = {}
        self._environments: dict[tuple[str, str], JsonObject] = {}
        self._questions: dict[int, tuple[TaskItems, str]] = {}

    @property
    def backbone(self) -> str:
        """Name of the run's backbone, for lists."""
        return self._spec.backbone

    @property
    def repeatable(self) -> bool:
        """Whether scores and answers of the run's engine take part."""
        return self._spec.engine in _REPEATABLE

    def parts(self, model: LazyBackbone, variant: Variant) -> list[Any] | None:
        """What a score or an answer depends on beside the questions; None if the variant takes no part.

        The variant's name is not among it: another run may name it otherwise.
        """
        if not self.repeatable or model.trust:
            return None
        code = method_code(variant.choice.method) if variant.choice is not None else ""
        if code is None:
            return None
        own = [model.checkpoint.digest, model.tokenizer_digest, model.backbone.system_text, variant.digest, code]
        place = (str(model.device), str(model.dtype))
        if place not in self._environments:
            self._environments[place] = environment_parts(self._spec, model)
        return [self._environments[place], own]

    def questions(self, asked: TaskItems) -> str:
        """Digest of all items of a task as they are asked: what an item is read with decides its last bits.

        Ids alone are not enough: another checkpoint is asked under the ids of the backbone, in the words of its own template.
        """
        # The task is held too, so that no other one gets its id.
        known = self._questions.get(id(asked))
        if known is None:
            digest = key_of_content([[item.id, item.doc_id, item.requests, item.turns] for item in asked.items])
            known = self._questions[id(asked)] = (asked, digest)
        return known[1]

    def begin(self, progress: Progress) -> None:
        """Say what takes no part."""
        if not self.repeatable:
            progress.notify(f"cache: scores and answers of engine {self._spec.engine} take no part in it")

    @contextmanager
    def noting(self, folder: RunFolder, progress: Progress) -> Iterator[None]:
        """A context at whose end is said what was taken, also after an error."""
        try:
            yield
        finally:
            self.note(folder, progress)

    def note(self, folder: RunFolder, progress: Progress) -> None:
        """Say what was taken, and write it into the entry of this start in `provenance.json`."""
        taken = {kind: self.taken[kind] for kind in _NAMES if self.taken[kind]}
        if taken == self._noted or not folder.has(_PROVENANCE):
            return
        self._noted = taken
        progress.notify(f"cache: taken {', '.join(f'{n:,} {_NAMES[kind]}' for kind, n in taken.items())}")
        content = folder.read_json(_PROVENANCE)
        content["starts"][-1]["reused"] = taken
        folder.write_json(_PROVENANCE, content)


def begin_reuse(spec: RunSpec, folder: RunFolder, model: LazyBackbone, progress: Progress) -> Reuse | None:
    """The store for a run; None if its limit is 0.

    Raises:
        UsageError: `LENSBENCH_CACHE_SIZE` is no size.
    """
    store = open_store(progress.notify)
    if store is None:
        return None
    starts = folder.read_json(_PROVENANCE)["starts"] if folder.has(_PROVENANCE) else []
    own = environment_digest(spec, model)
    found = Reuse(store, spec, whole=all(start.get("environment") == own for start in starts))
    found.begin(progress)
    return found


def environment_parts(spec: RunSpec, model: LazyBackbone) -> JsonObject:
    """Environment, engine and batch size."""
    return {**environment(model.device, model.dtype), "engine": spec.engine, "batch_size": spec.batch_size}


def environment_digest(spec: RunSpec, model: LazyBackbone) -> str:
    """16 hex digits; records of starts with equal ones are computed in the same way."""
    return key_of_content(environment_parts(spec, model))[:16]


@functools.cache
def method_code(name: str) -> str | None:
    """Digest of the code of another package's method; "" of one of lensbench, which the environment has; None if unknown."""
    info = get_method(name)
    return "" if info.origin == OURS else package_code(info.target)

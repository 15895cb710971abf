"""The scoring stage: log-likelihoods of every choice of every item, for all variants of a backbone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from lensbench.engines.division import homes
from lensbench.engines.layer_sharing import Branch
from lensbench.engines.noise import Answer, largest_noise, measure_noise
from lensbench.engines.reference.lm import LensLM, TokenRequest
from lensbench.engines.tree.engine import CannotPack, TreeEngine
from lensbench.errors import RunError
from lensbench.executors.ranks import ALONE, Ranks
from lensbench.methods.base import Progress
from lensbench.plan.task_items import TaskItems
from lensbench.records import RecordLog, ScoreRecord
from lensbench.records.log import read_objects
from lensbench.stages.score_record import as_truncated, score_record
from lensbench.stages.variants import Variant, answer_key, names_of
from lensbench.tasks.build import Item

__all__ = ["score_stage"]

_SAMPLE = 16
"""Items on which the noise is measured, at most; one of each task and language."""


_MEANING = "2"
"""Part of every key, raised when the same log-likelihoods give another record: "2" knows the state `truncated`."""


def score_stage(
    lm: LensLM,
    variants: Sequence[Variant],
    tasks: Sequence[TaskItems],
    log: RecordLog,
    progress: Progress,
    *,
    engine: str = "tree",
    ranks: Ranks = ALONE,
) -> None:
    """Score what is not in the log yet.

    Batches and passes are made from all items, also those in the log: what an item is read with decides its last bits. One of
    which only a part is in the log is scored again, and its missing records are added.

    The key of an answer does not name the engine: two engines differ by rounding only, an item that rounding could decide is
    counted as tied, and a run folder holds the answers of one engine, which its spec names.

    Args:
        variants: All of one loaded backbone; they share the blocks below the first one they change.
        engine: "tree"; or "reference": one variant after the other, one sequence per distinct input; or "vllm": likewise, by a
            `VllmLM` that holds one variant.
        ranks: Processes that share the work. Passes and batches are those of one process, so their number changes no bit; each
            rank reads those that hold its items.
    """
    work = _Work(lm, log, progress, ranks)
    if not any(work.missing(asked, variant) for asked in tasks for variant in variants):
        return
    tree = work.tree(tasks, variants) if engine == "tree" else None
    if engine == "vllm":
        work.measure(tasks)
    for asked in tasks:
        missing = [variant for variant in variants if work.missing(asked, variant)]
        together = work.branches(tree, asked, missing) if tree is not None else []
        if tree is not None and together:
            work.score_together(tree, asked, together)
        for variant in missing:
            if variant.name not in {shared.name for shared, _ in together}:
                work.score_alone(asked, variant)
    ranks.collect(log, progress)
    if ranks.rank == 0:
        if ranks.count > 1 and any(work.missing(asked, variant) for asked in tasks for variant in variants):
            raise RunError("some items were scored by no rank", "The same command goes on and scores them.")
        work.report()


class _Work:
    """One start of the stage."""

    def __init__(self, lm: LensLM, log: RecordLog, progress: Progress, ranks: Ranks) -> None:
        self._lm, self._log, self._progress, self._ranks = lm, log, ranks.progress(progress), ranks
        self._noise = 0.0
        self._encoded: tuple[TaskItems | None, dict[str, list[TokenRequest]]] = (None, {})
        self._said: set[str] = set()

    def _key(self, asked: TaskItems, variant: Variant, item: Item) -> str:
        return answer_key(self._lm.loaded, variant, item, asked.planned.task.profile.scoring, _MEANING)

    def missing(self, asked: TaskItems, variant: Variant) -> set[str]:
        """Ids of the items that have no record."""
        return {item.id for item in asked.items if self._key(asked, variant, item) not in self._log}

    def _say_once(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            self._progress.notify(text)

    def _requests(self, asked: TaskItems) -> dict[str, list[TokenRequest]]:
        """Requests by item, as token ids; the task's that was asked for last are kept."""
        if self._encoded[0] is not asked:
            self._encoded = (asked, self._encode(asked, asked.items))
        return self._encoded[1]

    def _encode(self, asked: TaskItems, items: Sequence[Item]) -> dict[str, list[TokenRequest]]:
        first_token = asked.planned.task.profile.scoring == "first_token"
        found = iter(self._lm.token_requests([r for item in items for r in item.requests], first_token=first_token))
        return {item.id: [next(found) for _ in item.requests] for item in items}

    def tree(self, tasks: Sequence[TaskItems], variants: Sequence[Variant]) -> TreeEngine | None:
        """The tree engine, with its noise measured on rank 0; None where it cannot read this model."""
        noise = self._ranks.agreed(lambda: self._measured(tasks, variants))
        if noise is None:
            return None
        self._noise = noise
        return TreeEngine(self._lm.loaded, max_length=self._lm.max_length, batch_size=self._lm.batch_size)

    def _measured(self, tasks: Sequence[TaskItems], variants: Sequence[Variant]) -> float | None:
        """The tree engine's noise on a sample, of the backbone and of interventions; None where it cannot read this model.

        Exchanged parameters are read as the backbone's own are; an intervention is computed in another way.
        """
        lm = self._lm
        try:
            tree = TreeEngine(lm.loaded, max_length=lm.max_length, batch_size=lm.batch_size)
            sample = [request for asked in _sampled(tasks) for request in self._typical(asked)]
            tree.check(sample)
            noise = measure_noise(lm, tree, sample)
            # What can be merged exchanges parameters; to find its branch it would be applied for nothing.
            others = [variant for variant in variants if variant.enhancement is not None and not variant.enhancement.mergeable]
            for asked in _sampled(tasks):
                for variant in others:
                    branch = variant.branch(lm.loaded, asked.planned.task.language.code)
                    if branch is not None and branch.edits:
                        noise = measure_noise(lm, tree, self._typical(asked), branch, noise)
        except CannotPack as error:
            self._say_once(f"the reference engine scores: {error}")
            return None
        if math.isfinite(noise) and noise > largest_noise(lm.loaded.model.dtype):
            self._say_once(f"the reference engine scores: the tree engine is {noise:.2g} nats off on this model")
            return None
        return noise if math.isfinite(noise) else 0.0

    def measure(self, tasks: Sequence[TaskItems]) -> None:
        """How far what scores is from the reference engine."""
        noise = self._lm.noise([request for asked in _sampled(tasks) for request in self._typical(asked)])
        self._noise = noise if math.isfinite(noise) else 0.0

    def _typical(self, asked: TaskItems) -> list[TokenRequest]:
        """The requests of the item of median length in characters."""
        ordered = sorted(asked.items, key=lambda item: (max(len(c) + len(t) for c, t in item.requests), item.doc_id))
        typical = ordered[len(ordered) // 2 : len(ordered) // 2 + 1]
        return [request for requests in self._encode(asked, typical).values() for request in requests]

    def branches(self, tree: TreeEngine, asked: TaskItems, variants: Sequence[Variant]) -> list[tuple[Variant, Branch]]:
        """The variants that are scored together; empty where the task has a request that only the reference engine can score."""
        try:
            tree.check([request for requests in self._requests(asked).values() for request in requests])
        except CannotPack as error:
            self._say_once(f"the reference engine scores {asked.name}: {error}")
            return []
        found = []
        for variant in variants:
            branch = variant.branch(self._lm.loaded, asked.planned.task.language.code)
            if branch is None:
                self._say_once(f"the reference engine scores {variant.name}: it changes the backbone in a way of its own")
            else:
                found.append((variant, branch))
        return found

    def score_together(self, tree: TreeEngine, asked: TaskItems, together: Sequence[tuple[Variant, Branch]]) -> None:
        """Score variants that share blocks."""
        variants = [variant for variant, _ in together]
        encoded = self._requests(asked)
        keys = {variant.name: {item.id: self._key(asked, variant, item) for item in asked.items} for variant in variants}
        owners = [item for item in asked.items for _ in encoded[item.id]]
        flat = [request for item in asked.items for request in encoded[item.id]]
        todo = {item.id: sum(keys[v.name][item.id] not in self._log for v in variants) for item in asked.items}
        if self._ranks.count > 1:
            own = self._own(tree, flat, owners, {item for item, missing in todo.items() if missing})
            todo = {item: missing if item in own else 0 for item, missing in todo.items()}
        wanted = {index for index, item in enumerate(owners) if todo[item.id]}
        if not wanted:
            return
        first = {item.id: index for index, item in reversed(list(enumerate(owners)))}
        answers: dict[str, list[list[Any]]] = {}
        with self._progress.stage(f"{asked.name} · {names_of(variants)}", sum(todo.values())) as advance:
            for scored in tree.score(flat, [branch for _, branch in together], wanted):
                done: list[Item] = []
                for place, index in enumerate(scored.requests):
                    item = owners[index]
                    held = answers.setdefault(item.id, [[None] * len(encoded[item.id]) for _ in variants])
                    for mine, found in zip(held, scored.answers, strict=True):
                        mine[index - first[item.id]] = found[place]
                    if None not in held[0]:
                        done.append(item)
                self._log.append(
                    self._record(asked, item, variant, keys[variant.name][item.id], encoded[item.id], results)
                    for item in done
                    for variant, results in zip(variants, answers.pop(item.id), strict=True)
                )
                if done:
                    advance(sum(todo[item.id] for item in done))

    def _own(self, tree: TreeEngine, flat: Sequence[TokenRequest], owners: Sequence[Item], missing: set[str]) -> set[str]:
        """Of the missing items, those of this rank; items that are read together mostly stay together."""
        passes = tree.plan(flat)
        places = homes(passes, [item.id for item in owners])
        # An item without a token to score has no pass.
        needed = sorted({places.get(item, 0) for item in missing})
        mine = dict(zip(needed, self._ranks.in_a_row([passes[n].tokens if passes else 1 for n in needed]), strict=True))
        return {item for item in missing if mine[places.get(item, 0)]}

    def _record(
        self, asked: TaskItems, item: Item, variant: Variant, key: str, encoded: Sequence[TokenRequest], results: Sequence[Answer]
    ) -> ScoreRecord:
        record = score_record(asked, item, variant, key, encoded, results, self._noise)
        return as_truncated(record) if any(self._lm.is_cut(request) for request in encoded) else record

    def score_alone(self, asked: TaskItems, variant: Variant) -> None:
        """Score one variant with the reference engine."""
        lm, todo = self._lm, self.missing(asked, variant)
        keys = {item.id: self._key(asked, variant, item) for item in asked.items}
        language = asked.planned.task.language.code
        encoded = self._requests(asked)
        # Longest first: an out-of-memory comes at once, and the time left is over- rather than underestimated.
        ordered = sorted(asked.items, key=lambda item: (-_length(encoded[item.id]), item.doc_id))
        chunks = [c for c in _chunks(ordered, encoded, lm.batch_size) if any(item.id in todo for item in c)]
        shared = self._ranks.dealt([sum(_length(encoded[item.id]) for item in chunk) for chunk in chunks])
        mine = [chunk for chunk, is_mine in zip(chunks, shared, strict=True) if is_mine]
        if not mine:
            return
        with (
            self._progress.stage(
                f"{asked.name} · {variant.name}", sum(item.id in todo for chunk in mine for item in chunk)
            ) as advance,
            variant.applied(lm.loaded, language),
        ):
            for chunk in mine:
                missing = sum(item.id in todo for item in chunk)
                flat = [request for item in chunk for request in encoded[item.id]]
                answers = iter(lm.score_tokens(flat))
                records = []
                for item in chunk:
                    results = [next(answers) for _ in encoded[item.id]]
                    records.append(self._record(asked, item, variant, keys[item.id], encoded[item.id], results))
                self._log.append(records)
                advance(missing)

    def report(self) -> None:
        """Say how many items of the whole log rounding could decide."""
        tied = sum(bool(record.get("tied")) for _, record in read_objects(self._log.path))
        if tied:
            self._progress.notify(
                f"{tied} of {len(self._log)} scores are tied: their two likeliest choices are closer than twice the noise "
                f"({self._noise:.1e} nats, engine against reference)"
            )


def _sampled(tasks: Sequence[TaskItems]) -> Sequence[TaskItems]:
    """Tasks whose items measure the noise."""
    return tasks[:: -(-len(tasks) // _SAMPLE)]


def _length(encoded: Sequence[TokenRequest]) -> int:
    return max(len(context) + len(target) for _, context, target in encoded)


def _chunks(items: list[Item], encoded: dict[str, list[TokenRequest]], batch_size: int) -> list[list[Item]]:
    """Items together until their distinct inputs fill a batch; an item is never divided."""
    chunks: list[list[Item]] = []
    held: list[Item] = []
    inputs: set[tuple[int, ...]] = set()
    for item in items:
        own = {tuple((context + target)[:-1]) for _, context, target in encoded[item.id]}
        if held and len(inputs | own) > batch_size:
            chunks.append(held)
            held, inputs = [], set()
        held.append(item)
        inputs |= own
    return [*chunks, held] if held else chunks

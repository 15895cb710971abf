"""The scoring stage: log-likelihoods of every choice of every item, for all variants of a backbone."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence, Set
from contextlib import closing, suppress

from lensbench.engines.protocol import Answer, CannotScore, Engine, ScoredItems, ScoringRequests, TokenRequest
from lensbench.engines.registry import engine_label, open_reference
from lensbench.errors import RunError
from lensbench.executors.ranks import ALONE, Ranks
from lensbench.methods.base import Progress
from lensbench.plan.task_items import TaskItems
from lensbench.records import RecordLog, ScoreRecord
from lensbench.records.log import read_objects
from lensbench.stages.choose_engine import engines_for
from lensbench.stages.reuse import Reuse
from lensbench.stages.reused_scores import keep_noise, keep_scores, known_noise, known_scores
from lensbench.stages.score_record import as_truncated, score_record
from lensbench.stages.variants import Variant, answer_key, names_of
from lensbench.tasks.build import Item

__all__ = ["score_stage"]

_SAMPLE = 16
"""Items on which the noise is measured, at most; one of each task and language."""


_MEANING = "2"
"""Part of every key, raised when the same log-likelihoods give another record: "2" knows the state `truncated`."""


def score_stage(
    engine: Engine,
    variants: Sequence[Variant],
    tasks: Sequence[TaskItems],
    log: RecordLog,
    progress: Progress,
    *,
    ranks: Ranks = ALONE,
    reuse: Reuse | None = None,
) -> None:
    """Score the items that are not in the log yet.

    An engine is given all items of a task, also those in the log: what an item is read with decides its last bits. One of which
    only a part is in the log is scored again, and its missing records are added. What the engine cannot score, the reference
    engine scores, and the run says so.

    The key of an answer does not name the engine: two engines differ by rounding only, an item that rounding could decide is
    counted as tied, and a run folder holds the answers of one engine, which its spec names.

    Args:
        engine: Over one backbone.
        variants: Of that backbone.
        ranks: Processes that share the work. Passes and batches are those of one process, so their number changes no bit; each
            rank reads those that hold its items.
        reuse: Finished work of earlier runs; on rank 0 only.
    """
    work = _Work(engine, variants, log, progress, ranks, reuse)
    if not any(work.missing(asked, variant) for asked in tasks for variant in variants):
        return
    before = set(log.keys())
    try:
        work.measure(tasks)
        # Before the work is divided, so that all ranks see what is left of it.
        log.note(ranks.agreed(lambda: work.take(tasks)))
        for asked in tasks:
            work.score(asked)
        ranks.collect(log, progress)
    finally:
        work.keep(tasks, before)
    if ranks.rank == 0:
        if ranks.count > 1 and any(work.missing(asked, variant) for asked in tasks for variant in variants):
            raise RunError("some items were scored by no rank", "Run the same command again to score them.")
        work.report()


class _Work:
    """One start of the stage."""

    def __init__(
        self, engine: Engine, variants: Sequence[Variant], log: RecordLog, progress: Progress, ranks: Ranks, reuse: Reuse | None
    ) -> None:
        self._engine, self._variants, self._log, self._ranks = engine, variants, log, ranks
        self._reuse = reuse
        self._progress = ranks.progress(progress)
        self._noise = 0.0
        self._requests: tuple[TaskItems | None, ScoringRequests | None] = (None, None)
        self._keys: dict[tuple[int, str], dict[str, str]] = {}
        self._said: set[str] = set()

    @functools.cached_property
    def _reference(self) -> Engine:
        return open_reference(self._engine.model, self._engine.settings)

    def _keys_of(self, asked: TaskItems, variant: Variant) -> dict[str, str]:
        """Key of each item's record, by the item's id."""
        place = (id(asked), variant.name)
        if place not in self._keys:
            scoring = asked.planned.task.profile.scoring
            self._keys[place] = {
                item.id: answer_key(self._engine.model, variant, item, scoring, _MEANING) for item in asked.items
            }
        return self._keys[place]

    def missing(self, asked: TaskItems, variant: Variant) -> set[str]:
        """Ids of the items that have no record."""
        return {item for item, key in self._keys_of(asked, variant).items() if key not in self._log}

    def _say_once(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            self._progress.notify(text)

    def _requests_of(self, asked: TaskItems) -> ScoringRequests:
        """Requests as token ids; those of the task that was asked for last are kept."""
        known, requests = self._requests
        if known is not asked or requests is None:
            requests = self._encode(asked, asked.items)
            self._requests = (asked, requests)
        return requests

    def _encode(self, asked: TaskItems, items: Sequence[Item]) -> ScoringRequests:
        first_token = asked.planned.task.profile.scoring == "first_token"
        texts = [request for item in items for request in item.requests]
        found = iter(self._engine.encoder.token_requests(texts, first_token=first_token))
        encoded = {item.id: [next(found) for _ in item.requests] for item in items}
        return ScoringRequests(asked.name, asked.planned.task.language.code, encoded, [item.doc_id for item in items])

    def measure(self, tasks: Sequence[TaskItems]) -> None:
        """The engine's noise, measured on rank 0; without one the reference engine scores everything."""
        noise = self._ranks.agreed(lambda: self._measured(tasks))
        if noise is None:
            self._engine.close()
            self._engine = self._reference
            # Under this key the store has what the engine itself scores.
            self._reuse = None
        else:
            self._noise = noise

    def _measured(self, tasks: Sequence[TaskItems]) -> float | None:
        samples = [self._typical(asked) for asked in tasks[:: -(-len(tasks) // _SAMPLE)]]
        merged = getattr(self._engine, "noise_of_merged", True)
        model, reuse = self._engine.model, self._reuse
        known = known_noise(reuse, model, self._variants, samples, merged=merged) if reuse is not None else None
        if known is not None:
            return known
        variants = [v for v in self._variants if any(self._engine.supports(v, sample.language) is None for sample in samples)]
        if not variants:
            return 0.0
        try:
            noise = self._engine.noise(samples, variants, self._reference)
        except CannotScore as error:
            self._say_once(f"the reference engine scores {names_of(variants)}: {error.message}")
            return None
        noise = noise if math.isfinite(noise) else 0.0
        if reuse is not None:
            keep_noise(reuse, model, self._variants, samples, noise, merged=merged)
        return noise

    def _typical(self, asked: TaskItems) -> ScoringRequests:
        """The requests of the item of median length in characters."""
        ordered = sorted(asked.items, key=lambda item: (max(len(c) + len(t) for c, t in item.requests), item.doc_id))
        return self._encode(asked, ordered[len(ordered) // 2 : len(ordered) // 2 + 1])

    def take(self, tasks: Sequence[TaskItems]) -> list[str]:
        """Write the records of what earlier runs have scored; returns their keys."""
        taken: list[str] = []
        for asked in tasks if self._reuse is not None else ():
            for variant in self._variants:
                missing = self.missing(asked, variant)
                if self._reuse is None or not missing:
                    continue
                requests = self._requests_of(asked)
                known = known_scores(self._reuse, self._engine.model, variant, asked, requests)
                if known is None:
                    continue
                keys, encoded = self._keys_of(asked, variant), requests.items
                items = [item for item in asked.items if item.id in missing]
                self._log.append(
                    self._record(self._engine, asked, item, variant, keys[item.id], encoded[item.id], known[item.id])
                    for item in items
                )
                self._reuse.taken["scores"] += len(items)
                taken += [keys[item.id] for item in items]
        return taken

    def keep(self, tasks: Sequence[TaskItems], before: Set[str]) -> None:
        """Let later runs know what is scored, also after an error.

        Args:
            before: Keys of records that were there in the beginning.
        """
        if self._reuse is not None:
            keys = {(asked.name, variant.name): self._keys_of(asked, variant) for asked in tasks for variant in self._variants}
            with suppress(RunError):
                keep_scores(self._reuse, self._engine.model, self._variants, tasks, self._log, keys, before)

    def score(self, asked: TaskItems) -> None:
        """Score what a task lacks, by the engine as far as it can."""
        missing = [variant for variant in self._variants if self.missing(asked, variant)]
        if not missing:
            return
        requests = self._requests_of(asked)
        for engine, variants, reason in engines_for(self._engine, lambda: self._reference, missing, requests.language):
            if reason is not None:
                self._say_once(f"the reference engine scores {names_of(variants)}: {reason}")
            refused = engine.refuses(requests)
            if refused is not None:
                self._say_once(f"the reference engine scores {asked.name}: {refused}")
                engine = self._reference
            self._score_by(engine, asked, requests, variants)

    def _score_by(self, engine: Engine, asked: TaskItems, requests: ScoringRequests, variants: Sequence[Variant]) -> None:
        keys = {variant.name: self._keys_of(asked, variant) for variant in variants}
        wanted = {variant.name: frozenset(self.missing(asked, variant)) for variant in variants}
        if self._ranks.count > 1:
            own = engine.divide(requests, variants, wanted, self._ranks.assign_to_ranks)
            wanted = {name: frozenset(items) for name, items in own.items()}
        total = sum(map(len, wanted.values()))
        if not total:
            return
        items = {item.id: item for item in asked.items}
        left = {name: set(ids) for name, ids in wanted.items()}
        with (
            self._progress.stage(f"{asked.name} · {names_of(variants)}", total) as advance,
            closing(engine.score(requests, variants, wanted)) as scored,
        ):
            for part in scored:
                _check_part(engine, asked, requests, part)
                for name in part.answers:
                    left.get(name, set()).difference_update(part.items)
                self._log.append(
                    self._record(
                        engine, asked, items[item], variant, keys[variant.name][item], requests.items[item], answers[place]
                    )
                    for place, item in enumerate(part.items)
                    for variant in variants
                    if (answers := part.answers.get(variant.name)) is not None
                )
                new = sum(item in wanted[name] for name in part.answers for item in part.items)
                if new:
                    advance(new)
        for name, ids in left.items():
            if ids:
                raise RunError(
                    f"{engine_label(engine)} left {len(ids)} of {len(wanted[name])} items of {asked.name} without a score "
                    f"({name}), such as {min(ids)}",
                    "`score` must yield every wanted item of every variant. The other scores are kept.",
                )

    def _record(
        self,
        engine: Engine,
        asked: TaskItems,
        item: Item,
        variant: Variant,
        key: str,
        encoded: Sequence[TokenRequest],
        results: Sequence[Answer],
    ) -> ScoreRecord:
        record = score_record(asked, item, variant, key, encoded, results, self._noise)
        return as_truncated(record) if any(engine.is_cut(request) for request in encoded) else record

    def report(self) -> None:
        """Say how many items of the whole log rounding could decide."""
        tied = sum(bool(record.get("tied")) for _, record in read_objects(self._log.path))
        if tied:
            self._progress.notify(
                f"{tied} of {len(self._log)} scores are tied: their two likeliest choices are closer than twice the noise "
                f"({self._noise:.1e} nats, engine against reference)"
            )


def _check_part(engine: Engine, asked: TaskItems, requests: ScoringRequests, part: ScoredItems) -> None:
    """Whether an engine gives one answer for each request of items that it was given."""
    for name, answers in part.answers.items():
        counts = [len(requests.items[item]) if item in requests.items else -1 for item in part.items]
        if counts != [len(given) for given in answers]:
            raise RunError(
                f"{engine_label(engine)} does not give one score for each request of {asked.name} ({name})",
                "`ScoredItems.answers` holds, in the order of `items`, one list for each item with one answer for each request.",
            )

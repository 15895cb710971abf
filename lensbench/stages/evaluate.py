"""Scores and answers of a run: every backbone with its variants, on rank 0 and on its workers alike."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass

from lensbench.backbones import Backbone
from lensbench.backbones.checkpoint import Checkpoint
from lensbench.backbones.lazy import LazyBackbone
from lensbench.engines.chat import chat_renderer
from lensbench.engines.encoding import RequestEncoder
from lensbench.engines.protocol import EngineSettings
from lensbench.engines.registry import get_engine, open_engine
from lensbench.executors.ranks import Ranks, conversations
from lensbench.methods.base import Progress
from lensbench.plan.plan import Plan
from lensbench.plan.task_items import LoadedRows, TaskItems, render_items, under_the_same_ids
from lensbench.records import RunFolder
from lensbench.stages.answer import answer_stage
from lensbench.stages.longest_input import longest_input
from lensbench.stages.memory_groups import groups_within, release_all
from lensbench.stages.reuse import Reuse
from lensbench.stages.reused_answers import keep_answers, take_answers
from lensbench.stages.score import score_stage
from lensbench.stages.variants import Variant

__all__ = ["Evaluation", "fingerprint", "other_variants"]


@dataclass(frozen=True)
class Evaluation:
    """The part of a run that every rank does."""

    plan: Plan
    folder: RunFolder
    rows: list[LoadedRows]
    device: str
    progress: Progress
    ranks: Ranks
    memory: int | None = None
    """Bytes for the variants that are asked together; None is half of what is free."""
    reuse: Reuse | None = None
    """Finished work of earlier runs; on rank 0 only."""

    def open(self, backbone: Backbone, checkpoint: Checkpoint) -> LazyBackbone:
        return LazyBackbone(
            backbone,
            checkpoint,
            device=self.device,
            dtype=self.plan.spec.dtype,
            trust=self.plan.trust_model,
            notify=self.progress.notify,
        )

    def render(self, model: LazyBackbone) -> list[TaskItems]:
        """The questions as a model's chat template words them."""
        return render_items(self.plan, self.rows, chat_renderer(model.tokenizer, model.backbone.system_text))

    def ask(self, model: LazyBackbone, variants: Sequence[Variant], tasks: Sequence[TaskItems]) -> None:
        """Scores and answers of the variants of one backbone; its weights are let go of afterwards.

        Raises:
            LensbenchError: see the stages; what was finished before is in the logs.
        """
        name, spec = self.plan.spec.engine, self.plan.spec
        settings = EngineSettings(
            batch_size=spec.batch_size,
            scratch=self.folder.own("merged"),
            longest_input=lambda: longest_input(RequestEncoder.of(model), model.tokenizer, tasks),
            notify=self.progress.notify,
        )
        groups = self._groups(model, variants)
        closed = [asked for asked in tasks if not asked.planned.task.profile.generates]
        opened = [asked for asked in tasks if asked.planned.task.profile.generates]
        ranks, progress = self.ranks, self.progress
        with closing(open_engine(name, model, settings)) as engine, ranks.share_of_cores(model.device.type):
            for group in groups:
                with ranks.log(self.folder, "score") as log:
                    score_stage(engine, group, closed, log, progress, ranks=ranks, reuse=self.reuse)
                if opened:
                    with self._reused_answers(model, group, opened), ranks.log(self.folder, "answers") as log:
                        mine = conversations(ranks, opened)
                        answer_stage(engine, group, mine, self.folder, log, ranks.progress(progress), seed=spec.seed)
                        ranks.collect(log, progress)
                engine.forget(group)
                release_all(group)
        # The engine holds the weights too.
        del engine
        model.release()

    def _groups(self, model: LazyBackbone, variants: Sequence[Variant]) -> list[list[Variant]]:
        """Variants that are asked together, the same on every rank."""
        if get_engine(self.plan.spec.engine).one_variant_at_a_time:
            return [[variant] for variant in variants]
        named = {variant.name: variant for variant in variants}
        found: list[list[str]] = self.ranks.agreed(
            lambda: [[v.name for v in group] for group in groups_within(model, variants, self.memory, self.progress.notify)]
        )
        return [[named[name] for name in group] for group in found]

    @contextmanager
    def _reused_answers(self, model: LazyBackbone, variants: Sequence[Variant], tasks: Sequence[TaskItems]) -> Iterator[None]:
        """Answers of earlier runs are in the log before the work is divided. At the end, also after an error, ours are kept."""
        if self.reuse is None:
            yield
            return
        seed = self.plan.spec.seed
        with self.folder.log("answers") as log:
            before = set(log.keys())
        take_answers(self.reuse, self.folder, model, variants, tasks, seed)
        try:
            yield
        finally:
            keep_answers(self.reuse, self.folder, model, variants, tasks, seed, before)

    def ask_others(self, find: Callable[[str, Backbone], Checkpoint], tasks: Sequence[TaskItems]) -> None:
        """Scores and answers of the run's other checkpoints, one model in memory at a time.

        Args:
            find: The checkpoint of a variant.
            tasks: As the backbone is asked them.
        """
        for name, backbone in self.plan.externals.items():
            model = self.open(backbone, find(name, backbone))
            others = other_variants({name: backbone}, {name: model.checkpoint})
            self.ask(model, others, under_the_same_ids(self.render(model), tasks))


def fingerprint(model: LazyBackbone, variants: Sequence[Variant], tasks: Sequence[TaskItems]) -> str:
    """Digest of everything that decides the keys of all records."""
    digest = hashlib.sha256(f"{model.checkpoint.digest} {model.tokenizer_digest} {model.dtype}".encode())
    for text in [*(f"{variant.name} {variant.digest}" for variant in variants), *(i.id for a in tasks for i in a.items)]:
        digest.update(text.encode())
    return digest.hexdigest()


def other_variants(backbones: Mapping[str, Backbone], checkpoints: Mapping[str, Checkpoint]) -> list[Variant]:
    """Other checkpoints than the run's backbone as variants, by their names."""
    return [Variant(name, checkpoint=checkpoints[name], system_text=b.system_text) for name, b in backbones.items()]

"""The answering stage: conversations, turn by turn, for all variants."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

from lensbench.backbones.lazy import LazyBackbone
from lensbench.datasets.rows import row_hash
from lensbench.engines.chat import encode_prompt, render_chat
from lensbench.engines.protocol import AnswerRequest, Engine, GeneratedAnswer
from lensbench.engines.registry import engine_label, open_reference
from lensbench.errors import RunError
from lensbench.methods.base import Progress
from lensbench.plan.task_items import TaskItems
from lensbench.reasoning import opens_reasoning, split_reasoning
from lensbench.records import AnswerRecord, RecordLog, RunFolder
from lensbench.stages.choose_engine import engines_for
from lensbench.stages.variants import Variant, answer_key, names_of
from lensbench.states import UNANSWERED
from lensbench.tasks.build import Item

__all__ = ["answer_stage", "turn_key"]

_NO_ROOM = GeneratedAnswer("", 0, "no_room", 0.0)
"""For a prompt that fills the model's window: nothing was generated, and the state says so."""
_MEANING = "2"
"""Part of every key, raised when the same tokens give another record: "2" knows the state `not_finite`."""


def answer_stage(
    engine: Engine,
    variants: Sequence[Variant],
    tasks: Sequence[TaskItems],
    folder: RunFolder,
    log: RecordLog,
    progress: Progress,
    *,
    seed: int,
) -> None:
    """Generate the answers that are not in the log yet.

    Turn 2 follows the variant's own answer to turn 1, so its key holds that answer. Every answer is in the log as soon as it has
    ended; one that was under way when the run stopped is generated again. Variants that the engine does not support are answered
    by the reference engine.

    Args:
        engine: Over one backbone.
        variants: Of that backbone.
        seed: Every item draws from a generator of its own, seeded by this, the item and the turn; variants share it.
    """
    work = _Work(engine, folder, log, progress, seed)
    for asked in tasks:
        work.answer(asked, variants)


class _Work:
    """One start of the stage."""

    def __init__(self, engine: Engine, folder: RunFolder, log: RecordLog, progress: Progress, seed: int) -> None:
        self._engine, self._log, self._progress, self._seed = engine, log, progress, seed
        self._known = {record.key: record for record in folder.records(AnswerRecord)}
        self._said: set[str] = set()

    @functools.cached_property
    def _reference(self) -> Engine:
        return open_reference(self._engine.model, self._engine.settings)

    def answer(self, asked: TaskItems, variants: Sequence[Variant]) -> None:
        """All turns of a task."""
        keys: dict[str, dict[str, str]] = {variant.name: {} for variant in variants}
        for turn in range(1, _turns(asked) + 1):
            todo: dict[str, list[Item]] = {}
            for variant in variants:
                own = keys[variant.name]
                items = [item for item in asked.items if len(item.turns) >= turn]
                for item in items:
                    before = self._known.get(own.get(item.id, ""))
                    own[item.id] = turn_key(self._engine.model, variant, asked, item, turn, self._seed, before)
                todo[variant.name] = [item for item in items if own[item.id] not in self._log]
            missing = [variant for variant in variants if todo[variant.name]]
            language = asked.planned.task.language.code
            for engine, group, reason in engines_for(self._engine, lambda: self._reference, missing, language):
                if reason is not None and (said := f"the reference engine answers {names_of(group)}: {reason}") not in self._said:
                    self._said.add(said)
                    self._progress.notify(said)
                self._answer_turn(engine, asked, group, todo, turn, keys)

    def _answer_turn(
        self,
        engine: Engine,
        asked: TaskItems,
        variants: Sequence[Variant],
        todo: Mapping[str, Sequence[Item]],
        turn: int,
        keys: Mapping[str, Mapping[str, str]],
    ) -> None:
        """Answers of variants by one engine."""
        model, task = engine.model, asked.planned.task
        names = {variant.name for variant in variants}
        earlier = {(r.variant, r.item, r.turn): r.text for r in self._known.values() if r.variant in names}
        unanswered = {
            (r.variant, r.item): r.state
            for r in self._known.values()
            if r.variant in names and r.turn == turn - 1 and r.state in UNANSWERED
        }
        asking: list[tuple[Variant, Item, AnswerRequest]] = []
        opened: list[bool] = []
        for place, variant in enumerate(variants):
            for item in todo[variant.name]:
                said = [earlier[variant.name, item.id, t] for t in range(1, turn)]
                asked_text = _prompt(model, item, said)
                prompt = encode_prompt(model.tokenizer, asked_text)
                request = AnswerRequest(
                    tuple(prompt),
                    min(task.generation.max_new_tokens, engine.window - len(prompt)),
                    task.generation.temperature_for(item.doc),
                    item_seed(self._seed, item.id, turn),
                    place,
                )
                asking.append((variant, item, request))
                opened.append(opens_reasoning(asked_text))
        title = f"{asked.name} · {names_of(variants)}" + (f" · turn {turn}" if _turns(asked) > 1 else "")
        with self._progress.stage(title, len(asking)) as advance:
            done: set[int] = set()

            def keep(index: int, answer: GeneratedAnswer) -> None:
                variant, item, request = asking[index]
                record = _record(item, variant, turn, keys[variant.name][item.id], request, answer, opened[index])
                self._log.append([record])
                self._known[record.key] = record
                done.add(index)
                advance(1)

            fitting = []
            for index, (variant, item, request) in enumerate(asking):
                # What follows an answer that was none has nothing to follow.
                before = unanswered.get((variant.name, item.id))
                if before is not None or request.max_new_tokens <= 0:
                    keep(index, replace(_NO_ROOM, finish=before or "no_room"))
                else:
                    fitting.append(index)
            requests = [asking[index][2] for index in fitting]
            if requests:
                engine.answer(requests, variants, task.language.code, lambda i, answer: keep(fitting[i], answer))
            if len(done) < len(asking):
                first = next(item for index, (_, item, _) in enumerate(asking) if index not in done)
                raise RunError(
                    f"{engine_label(engine)} left {len(asking) - len(done)} of {len(asking)} questions of {asked.name} "
                    f"without an answer, such as {first.id}",
                    "`answer` must call `on_answer` for every request. The other answers are kept.",
                )


def _turns(asked: TaskItems) -> int:
    return max((len(item.turns) for item in asked.items), default=0)


def turn_key(
    model: LazyBackbone, variant: Variant, asked: TaskItems, item: Item, turn: int, seed: int, before: AnswerRecord | None
) -> str:
    """Turn 1: everything that can change the answer; later turns: that of the turn before, and what was answered there."""
    if before is not None:
        return row_hash([before.key, before.text, turn])
    generation = asked.planned.task.generation
    temperature = generation.temperature_for(item.doc)
    settings = [_MEANING, generation.max_new_tokens, temperature, *([seed] if temperature else [])]
    return answer_key(model, variant, item, "generate", settings)


def _prompt(model: LazyBackbone, item: Item, answers: Sequence[str]) -> str:
    if not answers:
        return item.requests[0][0]
    messages = []
    for said, answer in zip(item.turns, answers, strict=False):
        messages += [{"role": "user", "content": said}, {"role": "assistant", "content": answer}]
    messages.append({"role": "user", "content": item.turns[len(answers)]})
    return render_chat(model.tokenizer, messages, model.backbone.system_text)


def item_seed(seed: int, item: str, turn: int) -> int:
    """The seed of one answer's generator: the same whatever the batch, the order and the variant."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{item}:{turn}".encode()).digest()[:8], "big") >> 1


def _record(
    item: Item, variant: Variant, turn: int, key: str, request: AnswerRequest, answer: GeneratedAnswer, opened: bool
) -> AnswerRecord:
    """The record of an answer.

    Args:
        opened: The prompt ended with an opening mark of reasoning.
    """
    parts = split_reasoning(answer.text, opened=opened)
    return AnswerRecord(
        key=key,
        item=item.id,
        variant=variant.name,
        task=item.task,
        language=item.language,
        profile=item.profile,
        turn=turn,
        state=answer.finish if answer.finish in UNANSWERED else "ok" if answer.text.strip() else "empty",
        text=answer.text,
        tokens=answer.tokens,
        prompt_tokens=len(request.prompt),
        temperature=request.temperature,
        finish=answer.finish,
        seconds=round(answer.seconds, 4),
        answer=parts.answer if parts.found else None,
        reasoning_opened=opened and parts.found,
    )

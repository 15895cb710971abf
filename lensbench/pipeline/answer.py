"""The answering stage: conversations, turn by turn, for all variants."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from lensbench.data.rows import row_hash
from lensbench.engine.chat import encode_prompt
from lensbench.engine.decode import AnswerRequest, generate_answers
from lensbench.engine.generate import GeneratedAnswer
from lensbench.engine.lm import LensLM
from lensbench.methods.base import Progress
from lensbench.pipeline.load_items import AskedTask
from lensbench.pipeline.variants import Variant, answer_key
from lensbench.store import RecordLog, RunFolder
from lensbench.tasks.build import Item

__all__ = ["answer_stage"]

_NO_ROOM = GeneratedAnswer("", 0, "no_room", 0.0)
"""For a prompt that fills the model's window: nothing was generated, and the state says so."""


def answer_stage(
    lm: LensLM,
    variants: Sequence[Variant],
    tasks: Sequence[AskedTask],
    folder: RunFolder,
    log: RecordLog,
    progress: Progress,
    *,
    seed: int,
) -> None:
    """Answer what is not in the log yet.

    Turn 2 follows the variant's own answer to turn 1, so its key holds that answer. Every answer is in the log as soon as it has
    ended; one that was under way when the run stopped is generated again.

    Args:
        seed: Every item draws from a generator of its own, seeded by this, the item and the turn; variants share it.
    """
    known = {record["key"]: record for record in folder.records("answers")}
    for asked in tasks:
        for variant in variants:
            keys: dict[str, str] = {}
            for turn in range(1, _turns(asked) + 1):
                items = [item for item in asked.items if len(item.turns) >= turn]
                for item in items:
                    keys[item.id] = _key(lm, variant, asked, item, turn, seed, known.get(keys.get(item.id, "")))
                todo = [item for item in items if keys[item.id] not in log]
                if todo:
                    _answer_turn(lm, variant, asked, todo, turn, keys, known, log, progress, seed)


def _turns(asked: AskedTask) -> int:
    return max((len(item.turns) for item in asked.items), default=0)


def _key(lm: LensLM, variant: Variant, asked: AskedTask, item: Item, turn: int, seed: int, before: dict[str, Any] | None) -> str:
    """Turn 1: everything that can change the answer; later turns: that of the turn before, and what was answered there."""
    if before is not None:
        return row_hash([before["key"], before["text"], turn])
    generation = asked.planned.task.generation
    temperature = generation.temperature_for(item.doc)
    settings = [generation.max_new_tokens, temperature, *([seed] if temperature else [])]
    return answer_key(lm.loaded, variant, item, "generate", settings)


def _answer_turn(
    lm: LensLM, variant: Variant, asked: AskedTask, todo: Sequence[Item], turn: int, keys: Mapping[str, str],
    known: dict[str, dict[str, Any]], log: RecordLog, progress: Progress, seed: int,
) -> None:  # fmt: skip
    generation = asked.planned.task.generation
    earlier = {(r["item"], r["turn"]): r["text"] for r in known.values() if r["variant"] == variant.name}
    requests = []
    for item in todo:
        prompt = encode_prompt(lm.tokenizer, _prompt(lm, item, [earlier[item.id, t] for t in range(1, turn)]))
        room = lm.max_length - len(prompt)
        requests.append(
            AnswerRequest(
                tuple(prompt), min(generation.max_new_tokens, room), generation.temperature_for(item.doc),
                item_seed(seed, item.id, turn),
            )
        )  # fmt: skip
    title = f"{asked.name} · {variant.name}" + (f" · turn {turn}" if _turns(asked) > 1 else "")
    with progress.stage(title, len(todo)) as advance, variant.applied(lm.loaded, asked.planned.task.language.code):

        def keep(index: int, answer: GeneratedAnswer) -> None:
            record = _record(asked, todo[index], variant, turn, keys[todo[index].id], requests[index], answer)
            log.append([record])
            known[record["key"]] = record
            advance(1)

        fitting = [index for index, request in enumerate(requests) if request.max_new_tokens > 0]
        for index in set(range(len(todo))) - set(fitting):
            keep(index, _NO_ROOM)
        generate_answers(
            lm.loaded, [requests[i] for i in fitting], batch_size=lm.batch_size, on_answer=lambda i, a: keep(fitting[i], a)
        )


def _prompt(lm: LensLM, item: Item, answers: Sequence[str]) -> str:
    if not answers:
        return item.requests[0][0]
    messages = []
    for said, answer in zip(item.turns, answers, strict=False):
        messages += [{"role": "user", "content": said}, {"role": "assistant", "content": answer}]
    return lm.apply_chat_template([*messages, {"role": "user", "content": item.turns[len(answers)]}])


def item_seed(seed: int, item: str, turn: int) -> int:
    """The seed of one answer's generator: the same whatever the batch, the order and the variant."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{item}:{turn}".encode()).digest()[:8], "big") >> 1


def _record(
    asked: AskedTask, item: Item, variant: Variant, turn: int, key: str, request: AnswerRequest, answer: GeneratedAnswer
) -> dict[str, Any]:
    state = "no_room" if answer.finish == "no_room" else "ok" if answer.text.strip() else "empty"
    return {
        "key": key,
        "item": item.id,
        "variant": variant.name,
        "task": item.task,
        "language": item.language,
        "profile": item.profile,
        "turn": turn,
        "state": state,
        "text": answer.text,
        "tokens": answer.tokens,
        "prompt_tokens": len(request.prompt),
        "temperature": request.temperature,
        "finish": answer.finish,
        "seconds": round(answer.seconds, 4),
    }

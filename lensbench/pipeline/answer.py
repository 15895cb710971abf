"""The answering stage (open questions, greedy) and the identification of the answers' languages."""

from __future__ import annotations

from collections.abc import Sequence

from lensbench.engine.chat import encode_prompt
from lensbench.engine.generate import generate_answers
from lensbench.engine.lm import LensLM
from lensbench.fidelity import Identifier
from lensbench.languages import get_language
from lensbench.methods.base import Progress
from lensbench.pipeline.load_items import AskedTask
from lensbench.pipeline.variants import Variant, answer_key
from lensbench.store import RecordLog, RunFolder

__all__ = ["answer_stage", "identify_stage"]


def answer_stage(
    lm: LensLM, variants: Sequence[Variant], tasks: Sequence[AskedTask], log: RecordLog, progress: Progress, *, batch_size: int
) -> None:
    """Answer what is not in the log yet; batches are by prompt length so that little is padded.

    As in scoring, batches are made from all items, so that an answer does not depend on where a run was stopped.
    """
    digests = {variant.name: variant.digest for variant in variants}
    for asked in tasks:
        language = asked.planned.task.language.code
        settings = asked.planned.task.config.get("generation_kwargs") or {}
        for variant in variants:
            keys = {i.id: answer_key(lm.loaded, digests[variant.name], i, "greedy", settings) for i in asked.items}
            todo = {item.id for item in asked.items if keys[item.id] not in log}
            if not todo:
                continue
            prompts = {item.id: encode_prompt(lm.tokenizer, item.requests[0][0]) for item in asked.items}
            ordered = sorted(asked.items, key=lambda item: (-len(prompts[item.id]), item.doc_id))
            with progress.stage(f"{asked.name} · {variant.name}", len(todo)) as advance, variant.applied(lm.loaded, language):
                for start in range(0, len(ordered), batch_size):
                    chunk = ordered[start : start + batch_size]
                    missing = sum(item.id in todo for item in chunk)
                    if not missing:
                        continue
                    answers = generate_answers(
                        lm.loaded, [prompts[item.id] for item in chunk], int(settings.get("max_gen_toks", 256))
                    )
                    log.append(
                        {
                            "key": keys[item.id],
                            "item": item.id,
                            "variant": variant.name,
                            "task": item.task,
                            "language": item.language,
                            "profile": item.profile,
                            "state": "ok" if answer.text.strip() else "empty",
                            "text": answer.text,
                            "tokens": answer.tokens,
                            "finish": answer.finish,
                            "seconds": round(answer.seconds, 4),
                        }
                        for item, answer in zip(chunk, answers, strict=True)
                    )
                    advance(missing)


def identify_stage(folder: RunFolder, identifier: Identifier, log: RecordLog) -> None:
    """Identify the language of every answer; reads and writes records only, so it can be repeated without a model."""
    fresh = []
    for answer in folder.records("answers"):
        key = f"{answer['key']}:{identifier.signature}"
        if key in log:
            continue
        found = identifier.identify(answer["text"])
        language = get_language(answer["language"])
        fresh.append(
            {
                "key": key,
                "answer": answer["key"],
                "item": answer["item"],
                "variant": answer["variant"],
                "task": answer["task"],
                "language": answer["language"],
                "profile": answer["profile"],
                # An empty answer is in no language: unfaithful by definition, and counted apart.
                "state": "empty" if found.label is None else "ok",
                "label": found.label,
                "probability": found.probability,
                "identifier": identifier.signature,
                "metrics": {"lf_turn1": float(found.label is not None and identifier.matches(found.label, language))},
            }
        )
    log.append(fresh)

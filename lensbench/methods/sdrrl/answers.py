"""Stage 1: the untouched backbone answers the central language's questions itself."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from lensbench.backbones.load import LoadedBackbone
from lensbench.engines.chat import encode_prompt
from lensbench.engines.generation.decode import generate_answers
from lensbench.engines.generation.generate import end_tokens
from lensbench.engines.protocol import AnswerRequest, GeneratedAnswer
from lensbench.grading.fidelity import Identifier
from lensbench.languages import Language
from lensbench.methods.base import Progress
from lensbench.methods.sdrrl.stages import StageCost
from lensbench.methods.sdrrl.text_cache import CachedText, TextCache
from lensbench.methods.sft.template import user_turn

__all__ = ["OwnAnswers", "answer_all", "generated_by", "own_answers"]


@dataclass(frozen=True)
class OwnAnswers:
    """The answers that can be learned from, and what became of the others."""

    answers: dict[str, str]
    """Question -> answer."""
    counts: dict[str, int]
    """Questions asked and answers kept, empty, cut, in another language, or to a question too long to answer."""
    other_languages: dict[str, int]
    """Identified language (or the identifier's label) -> answers left out for it."""


def own_answers(
    loaded: LoadedBackbone,
    questions: Sequence[str],
    language: Language,
    identifier: Identifier,
    progress: Progress,
    cost: StageCost,
    *,
    max_new_tokens: int,
    batch_size: int,
) -> OwnAnswers:
    """Greedy answers through the chat template as evaluation asks, without those that cannot be learned.

    An empty answer is left out, one that has not ended within the limit, and one the identifier takes for another language.

    Args:
        language: Which the answers must be in.
        cost: Filled in.
    """
    made = answer_all(
        loaded,
        questions,
        progress,
        cost,
        title="the backbone's own answers",
        max_new_tokens=max_new_tokens,
        batch_size=batch_size,
    )
    counts = Counter({"asked": len(questions), "kept": 0, "empty": 0, "cut": 0, "too_long": 0, "other_language": 0})
    others: Counter[str] = Counter()
    kept = {}
    for question, answer in zip(questions, made, strict=True):
        if answer.state != "ok":
            counts[answer.state] += 1
            continue
        label = identifier.identify(answer.text).label
        if not identifier.lenient(label, language):
            counts["other_language"] += 1
            others[identifier.language(label) or str(label)] += 1
            continue
        counts["kept"] += 1
        kept[question] = answer.text.strip()
    return OwnAnswers(kept, dict(counts), dict(others.most_common()))


def answer_all(
    loaded: LoadedBackbone,
    requests: Sequence[str],
    progress: Progress,
    cost: StageCost,
    *,
    title: str,
    max_new_tokens: int,
    batch_size: int,
) -> list[CachedText]:
    """The backbone's greedy answer to each user turn; each is kept on disk as soon as it has ended.

    Args:
        requests: Texts of the user's turn; repeated ones are answered once.
        cost: Filled in.
    """
    kept = TextCache("generated", generated_by(loaded, max_new_tokens))
    started = time.perf_counter()
    # Rendered before it is looked up: a template may hold today's date.
    prompts = {text: user_turn(loaded.tokenizer, text, loaded.backbone.system_text) for text in dict.fromkeys(requests)}
    found = {text: made for text, prompt in prompts.items() if (made := kept.get(prompt)) is not None}
    cost.cached_texts += len(found)
    cost.cached_seconds += sum(made.seconds for made in found.values())
    window = int(getattr(loaded.model.config, "max_position_embeddings", None) or 2**31)
    waiting: list[str] = []
    asked: list[AnswerRequest] = []
    for text, prompt in prompts.items():
        if text in found:
            continue
        ids = encode_prompt(loaded.tokenizer, prompt)
        if len(ids) + max_new_tokens > window:
            found[text] = CachedText("", "too_long")
            continue
        waiting.append(text)
        asked.append(AnswerRequest(tuple(ids), max_new_tokens))
    if asked:
        with progress.stage(title, len(asked)) as advance:

            def on_answer(index: int, answer: GeneratedAnswer) -> None:
                found[waiting[index]] = made = _made(answer)
                kept.put(prompts[waiting[index]], made)
                advance(1, f"{answer.tokens} tokens")

            generate_answers(loaded, asked, batch_size=batch_size, on_answer=on_answer)
    cost.seconds += time.perf_counter() - started
    cost.texts += len(found)
    cost.generated_tokens += sum(made.tokens for made in found.values())
    cost.on_device = True
    if cost.cached_texts:
        progress.notify(f"sdrrl: {title}: {cost.cached_texts} of {cost.texts} from the cache")
    return [found[request] for request in requests]


def generated_by(loaded: LoadedBackbone, max_new_tokens: int) -> dict[str, object]:
    """Everything but the rendered prompt (question, chat template, system text) that decides a greedy answer."""
    return {
        "weights": loaded.checkpoint.digest,
        "tokenizer": loaded.tokenizer_digest,
        "dtype": str(next(loaded.model.parameters()).dtype),
        "ends": sorted(end_tokens(loaded)),
        "max_new_tokens": max_new_tokens,
        "sampling": "greedy",
    }


def _made(answer: GeneratedAnswer) -> CachedText:
    if answer.finish == "not_finite":
        return CachedText("", "not_finite", answer.tokens, round(answer.seconds, 4))
    state = "empty" if not answer.text.strip() else "ok" if answer.finish == "stop" else "cut"
    return CachedText(answer.text, state, answer.tokens, round(answer.seconds, 4))

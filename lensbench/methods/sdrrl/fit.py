"""One fit of SDRRL: own answers, their translations, combinations of languages, a parallel part, then fine-tuning."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from lensbench.backbones.load import LoadedBackbone
from lensbench.errors import RunError
from lensbench.jsonio import JsonObject
from lensbench.languages import get_language
from lensbench.methods.adapter import Adapter
from lensbench.methods.base import Progress
from lensbench.methods.delta import Delta
from lensbench.methods.sdrrl.answers import OwnAnswers, own_answers
from lensbench.methods.sdrrl.config import SdrrlConfig
from lensbench.methods.sdrrl.corpora import SdrrlCorpora
from lensbench.methods.sdrrl.items import Items, combined, parallel_part
from lensbench.methods.sdrrl.stages import Stages
from lensbench.methods.sdrrl.text_cache import CachedText
from lensbench.methods.sft.callbacks import Diverged
from lensbench.methods.sft.encode import Example, chat_layout
from lensbench.methods.sft.fit import fine_tune

__all__ = ["fit_sdrrl"]

_NAME = "sdrrl"
PAPER_ITEMS = 4000
"""Table 5 of arXiv 2410.04407, with one target language; how they are made up is inferred (docs/sdrrl.md)."""
NO_TRANSLATION = (
    "this is sdrrl-nomt: without a translator no question is learned with an answer in the target language, the core of SDRRL"
)


def fit_sdrrl(loaded: LoadedBackbone, corpora: SdrrlCorpora, config: SdrrlConfig, progress: Progress) -> Delta | Adapter:
    """Make answers and translations, or take them from the cache, and fine-tune; `sft.fit.fine_tune` says what that raises.

    Raises:
        RunError: no answer or no translation can be used, or a server failed; what was made is kept.
    """
    layout = chat_layout(loaded.tokenizer, loaded.backbone.system_text)
    stages = Stages()
    own = _answer(loaded, corpora, config, progress, stages)
    translations, about = _translate(loaded, corpora, config, own, progress, stages)
    items = [combined(corpora, config, own.answers, translations), parallel_part(corpora)]
    examples = [example for part in items for example in part.examples]
    if config.label != _NAME:
        progress.notify(f"! {NO_TRANSLATION}")
    card = _card(corpora, config, own, about, items, examples)
    try:
        delta = fine_tune(config.label, loaded, examples, layout, config, progress, card)
    except Diverged as error:
        error.delta.card["cost"] = stages.added_to(error.delta.card["cost"])
        raise
    delta.card["cost"] = stages.added_to(delta.card["cost"])
    progress.notify(_times(delta.card["cost"]["stages"]))
    return delta


def _answer(loaded: LoadedBackbone, corpora: SdrrlCorpora, config: SdrrlConfig, progress: Progress, stages: Stages) -> OwnAnswers:
    if not config.active_combos:
        return OwnAnswers({}, {}, {})
    central = get_language(corpora.languages[0])
    questions = [corpora.questions[central.code][i] for i in corpora.asked]
    with stages.measured("answers", loaded) as cost:
        own = own_answers(
            loaded,
            questions,
            central,
            corpora.identifier,
            progress,
            cost,
            max_new_tokens=config.max_new_tokens,
            batch_size=config.generate_batch,
        )
    states = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in own.counts.items())
    progress.notify(f"sdrrl: own answers in {central.name}: {states}")
    if not own.answers:
        raise RunError(
            f"sdrrl: none of the backbone's own answers can be learned: {states}",
            f"A larger max_new_tokens (now {config.max_new_tokens}) cuts fewer of them.",
        )
    return own


def _translate(
    loaded: LoadedBackbone, corpora: SdrrlCorpora, config: SdrrlConfig, own: OwnAnswers, progress: Progress, stages: Stages
) -> tuple[dict[str, dict[str, str]], JsonObject]:
    """By target language: answer -> translation; and what became of the answers."""
    translations: dict[str, dict[str, str]] = {}
    about: JsonObject = {}
    if corpora.translator is None:
        return translations, about
    central = corpora.languages[0]
    for code, ids in corpora.own.items():
        target = get_language(code)
        found = (own.answers.get(corpora.questions[central][i]) for i in ids)
        texts = list(dict.fromkeys(answer for answer in found if answer is not None))
        if not texts:
            continue
        with stages.measured(f"translations/{code}", loaded) as cost:
            made = corpora.translator.translate(loaded, texts, target, progress, cost)
            cost.translated_characters += sum(map(len, texts))
        translations[code] = {text: one.text.strip() for text, one in zip(texts, made, strict=True) if one.state == "ok"}
        about[code] = _counts(corpora, code, translations[code], made)
        said = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in about[code].items() if count is not None)
        in_language = about[code]["kept_in_target_language"]
        wrong = in_language is not None and 2 * in_language < len(translations[code])
        progress.notify(f"{'! ' if wrong else ''}sdrrl: translations into {target.name}: {said}")
        if not translations[code]:
            raise RunError(
                f"sdrrl: no translation into {target.name} by {corpora.translator.describe()} can be used: {said}",
                "A larger translate_max_new_tokens cuts fewer of them; translator=none needs no translations.",
            )
    return translations, about


def _counts(corpora: SdrrlCorpora, code: str, usable: Mapping[str, str], made: Sequence[CachedText]) -> dict[str, int | None]:
    """What became of the answers to translate. Whether a translation is in the target language is counted only."""
    states = Counter(one.state for one in made)
    language = get_language(code)
    identifier = corpora.identifier
    in_language = None
    if identifier.covers_leniently(language):
        in_language = sum(identifier.lenient(identifier.identify(text).label, language) for text in usable.values())
    dropped = {state: states[state] for state in ("empty", "cut", "too_long", "missing")}
    return {"asked": len(made), "kept": states["ok"], **dropped, "kept_in_target_language": in_language}


def _card(
    corpora: SdrrlCorpora,
    config: SdrrlConfig,
    own: OwnAnswers,
    translations: JsonObject,
    items: Sequence[Items],
    examples: Sequence[Example],
) -> JsonObject:
    lexicons = {
        code: {"entries": lexicon.entries, "phrases": lexicon.phrases, "sha256": lexicon.sha256}
        for code, lexicon in corpora.lexicons.items()
    }
    return {
        **({"note": NO_TRANSLATION} if config.label != _NAME else {}),
        "languages": list(corpora.languages),
        "data": sorted({f"{key} from {o.kind} {o.name}" for key, o in corpora.origins.items()}),
        "rows": dict(corpora.rows),
        "answers": {**own.counts, "other_languages": own.other_languages, "identifier": corpora.identifier.signature},
        "translator": corpora.translator.describe() if corpora.translator else None,
        "translations": translations,
        "code_switch": {**lexicons, **items[0].switched} if lexicons else None,
        "pools": {pool: dict(counts) for part in items for pool, counts in part.pools.items()},
        "items": {"realised": len(examples), "paper": PAPER_ITEMS if len(corpora.languages) == 2 else None},
    }


def _times(stages: Mapping[str, Mapping[str, Any]]) -> str:
    parts = []
    for name, cost in stages.items():
        earlier = cost.get("cached_seconds")
        parts.append(f"{name} {cost['seconds']:.1f} s" + (f" (and {earlier:.1f} s in an earlier start)" if earlier else ""))
    return f"sdrrl: {', '.join(parts)}"

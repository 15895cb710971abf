"""Translators of the backbone's answers. Requirements are checked at construction, before any model is loaded."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from lensbench.errors import RunError
from lensbench.grading.judge.registry import Judge, load_judge
from lensbench.grading.judge.spend import Budget, Usage
from lensbench.languages import CENTRAL, Language, get_language
from lensbench.methods.base import Progress
from lensbench.methods.sdrrl.config import SdrrlConfig
from lensbench.methods.sdrrl.prompts import self_translation_request
from lensbench.methods.sdrrl.text_cache import CachedText
from lensbench.methods.sdrrl.translation_files import Translated, list_untranslated, read_translations

if TYPE_CHECKING:
    from lensbench.backbones.load import LoadedBackbone
    from lensbench.methods.sdrrl.stages import StageCost

__all__ = ["Translator", "make_translator"]


class Translator(Protocol):
    """Translates from the central language."""

    def describe(self) -> str:
        """Description for the card."""
        ...

    def translate(
        self, loaded: LoadedBackbone, texts: Sequence[str], target: Language, progress: Progress, cost: StageCost
    ) -> list[CachedText]:
        """A translation of each text, or why there is none.

        Args:
            texts: Each once.
            cost: Filled in.

        Raises:
            RunError: it stopped half way; what it made is kept, and the same command goes on.
        """
        ...


def make_translator(config: SdrrlConfig, targets: Sequence[str], progress_say: Any = lambda text: None) -> Translator | None:
    """The configured translator; None where the configuration needs none.

    Raises:
        UsageError: a file that is missing or wrong, an unknown judge, a target the translator does not know.
        UnavailableError: a model that is not available, or no key.
    """
    if not config.needs_translator:
        return None
    if config.translator == "self":
        return _SelfTranslator(config.translate_max_new_tokens, config.generate_batch)
    if config.translator == "file":
        paths = {code: Path(str(config.translations).replace("{language}", code)) for code in targets}
        return _FileTranslator({code: read_translations(path) for code, path in paths.items()})
    if config.translator == "openai":
        from lensbench.grading.judge.http import api_key

        judge = load_judge(config.judge, model=config.translator_model, base_url=config.base_url)
        api_key(judge)
        return _ServerTranslator(judge, Budget(judge.file.prices, config.max_usd))
    from lensbench.methods.sdrrl.nllb import NllbTranslator

    return NllbTranslator.find(config, targets, progress_say)


@dataclass(frozen=True)
class _SelfTranslator:
    """The backbone, asked in its chat template."""

    max_new_tokens: int
    batch_size: int

    def describe(self) -> str:
        return "the backbone itself"

    def translate(
        self, loaded: LoadedBackbone, texts: Sequence[str], target: Language, progress: Progress, cost: StageCost
    ) -> list[CachedText]:
        from lensbench.methods.sdrrl.answers import answer_all

        requests = [self_translation_request(text, CENTRAL, target.code) for text in texts]
        return answer_all(
            loaded,
            requests,
            progress,
            cost,
            title=f"translations into {target.name}",
            max_new_tokens=self.max_new_tokens,
            batch_size=self.batch_size,
        )


@dataclass(frozen=True)
class _FileTranslator:
    """The user's own translations."""

    tables: dict[str, Translated]
    """Translations by language code."""

    def describe(self) -> str:
        return "files " + ", ".join(f"{table.path} (SHA-256 {table.sha256[:12]})" for table in self.tables.values())

    def translate(
        self, loaded: LoadedBackbone, texts: Sequence[str], target: Language, progress: Progress, cost: StageCost
    ) -> list[CachedText]:
        table = self.tables[target.code]
        made = [table.find(text) for text in texts]
        cost.texts += len(texts)
        missing = [text for text, one in zip(texts, made, strict=True) if one.state == "missing"]
        if missing:
            listed = list_untranslated(missing, target.code)
            progress.notify(f"! sdrrl: {table.path} lacks {len(missing)} of {len(texts)} answers; {listed} lists them")
            if len(missing) == len(texts):
                raise RunError(
                    f"{table.path} has no translation for any of the {len(texts)} answers of the backbone",
                    f"{listed} lists them: fill in the translations and name it with ``overrides=translations=FILE``.",
                )
        return made


@dataclass(frozen=True)
class _ServerTranslator:
    """An OpenAI-compatible server."""

    judge: Judge
    budget: Budget

    def describe(self) -> str:
        return f"{self.judge.model} at {self.judge.base_url or 'the provider'}"

    def translate(
        self, loaded: LoadedBackbone, texts: Sequence[str], target: Language, progress: Progress, cost: StageCost
    ) -> list[CachedText]:
        from lensbench.grading.judge.translate import translate_texts

        started, spent = time.perf_counter(), self.budget.spent_usd
        with progress.stage(f"translations into {target.name} · {self.judge.model}", len(texts)) as advance:
            made = translate_texts(
                self.judge,
                self.budget,
                texts,
                get_language(CENTRAL),
                target,
                lambda: advance(1, f"${self.budget.spent_usd:.2f}" if self.budget.prices else ""),
            )
        cost.seconds += time.perf_counter() - started
        cost.cached_seconds += sum(made.replies[text].seconds for text in made.cached)
        cost.texts, cost.cached_texts = cost.texts + len(texts), cost.cached_texts + len(made.cached)
        used = [Usage.read(reply.usage) for reply in made.replies.values()]
        cost.server_tokens += sum(usage.completion_tokens for usage in used if usage)
        if self.budget.prices:
            cost.usd = (cost.usd or 0.0) + self.budget.spent_usd - spent
        if made.failures:
            text, why = next(iter(made.failures.items()))
            raise RunError(
                f"{len(made.failures)} of {len(texts)} answers are not translated into {target.name}: {why} ({text[:40]!r})",
                "Run the same command again to continue.",
            )
        return [_from_server(made.texts.get(text), made.unusable.get(text)) for text in texts]


def _from_server(text: str | None, why: str | None) -> CachedText:
    return CachedText(text, "ok") if text is not None else CachedText("", "empty" if why == "empty" else "cut")

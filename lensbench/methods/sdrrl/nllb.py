"""NLLB-200, or a similar model, as a translator. It translates texts sentence by sentence, because it was trained on sentences.

Lines stay lines; code between fences and lines without a letter are kept as they are. A line is cut into sentences behind a full
stop, question or exclamation mark that white space follows, its list mark aside.
"""

from __future__ import annotations

import gc
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from lensbench.backbones.checkpoint import Checkpoint
from lensbench.backbones.load import LoadedBackbone
from lensbench.backbones.opening import compare_shapes, open_config, open_model, open_tokenizer
from lensbench.backbones.registry import Backbone, get_backbone
from lensbench.backbones.resolve import find_checkpoint
from lensbench.errors import UnavailableError, UsageError
from lensbench.languages import CENTRAL, Language, get_language
from lensbench.methods.base import Progress
from lensbench.methods.sdrrl.config import SdrrlConfig
from lensbench.methods.sdrrl.stages import StageCost
from lensbench.methods.sdrrl.text_cache import CachedText, TextCache

__all__ = ["NllbTranslator", "Piece", "split_text"]

DEFAULT_MODEL = "facebook/nllb-200-distilled-600M"
DEFAULT_REVISION = "refs/pr/45"
"""Its main branch holds pickled weights only, which are never read; this revision holds them as safetensors."""
_TEXTS, _PIECES = 16, 32
"""Texts that are finished, and kept, together; pieces in one forward pass."""
_SOURCE_TOKENS = 512
"""The longest source NLLB-200 was trained on."""
_FENCE = re.compile(r"\s*(```|~~~)")
_MARK = re.compile(r"\s*(?:(?:[-*•#>]+|\d+[.)])\s+)*")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


@dataclass(frozen=True)
class Piece:
    """Part of a text: words to translate, or text that is kept."""

    text: str
    translated: bool


def split_text(text: str) -> list[Piece]:
    """The pieces of a text, which joined are the text itself but for white space between sentences."""
    pieces: list[Piece] = []
    fenced = False
    for number, line in enumerate(text.split("\n")):
        if number:
            pieces.append(Piece("\n", False))
        fence = _FENCE.match(line) is not None
        fenced ^= fence
        if fence or fenced or not any(sign.isalpha() for sign in line):
            pieces.append(Piece(line, False))
            continue
        mark = _MARK.match(line)
        start = mark.end() if mark else 0
        pieces.append(Piece(line[:start], False))
        for index, sentence in enumerate(_SENTENCE_END.split(line[start:].rstrip())):
            if index:
                pieces.append(Piece(" ", False))
            pieces.append(Piece(sentence, any(sign.isalpha() for sign in sentence)))
    return [piece for piece in pieces if piece.text]


class NllbTranslator:
    """A sequence-to-sequence model with NLLB's language codes."""

    def __init__(self, checkpoint: Checkpoint, *, beams: int, max_new_tokens: int) -> None:
        self._checkpoint, self._beams, self._max_new_tokens = checkpoint, beams, max_new_tokens

    @classmethod
    def find(cls, config: SdrrlConfig, targets: Sequence[str], notify: Any = lambda text: None) -> NllbTranslator:
        """Have the model's files on this machine, and its tokenizer know the languages; no weights are read.

        Raises:
            UnavailableError: the model is not available, holds no safetensors, or its tokenizer cannot be read.
            UsageError: it lacks a language.
        """
        name = config.translator_model or DEFAULT_MODEL
        revision = config.translator_revision or (DEFAULT_REVISION if config.translator_model is None else "main")
        hint = (
            f"Put the model folder, with safetensors, at $LENSBENCH_MODELS/{name}, or name one with "
            "``overrides=translator_model=PATH``; or choose another translator: self, file, openai, none."
        )
        try:
            model = get_backbone(name)
            if model.path is None and model.hub:
                model = Backbone(backbone=name, title=name, hub=name, revision=revision)
            checkpoint = find_checkpoint(model, notify=notify)
        except (UnavailableError, UsageError) as error:
            reason = error.message.removeprefix(f"could not get the backbone '{name}': ")
            raise UnavailableError(f"the translator {name} is not available: {reason}", hint) from None
        if not any(checkpoint.path.glob("*.safetensors")):
            raise UnavailableError(f"the translator {name}@{revision} has no safetensors; pickled weights are not read", hint)
        tokenizer = _tokenizer(checkpoint)
        for code in (CENTRAL, *targets):
            _language_token(tokenizer, get_language(code), checkpoint)
        return cls(checkpoint, beams=config.nllb_beams, max_new_tokens=config.translate_max_new_tokens)

    def describe(self) -> str:
        return f"{self._checkpoint.name} ({self._checkpoint.digest[:24]})"

    def translate(
        self, loaded: LoadedBackbone, texts: Sequence[str], target: Language, progress: Progress, cost: StageCost
    ) -> list[CachedText]:
        """As `Translator.translate`; the model is in memory only while there is something to translate."""
        started = time.perf_counter()
        dtype = next(loaded.model.parameters()).dtype
        kept = TextCache(
            "nllb",
            {
                "weights": self._checkpoint.digest,
                "dtype": str(dtype),
                "beams": self._beams,
                "target": target.nllb,
                "max_new_tokens": self._max_new_tokens,
                "pieces": 1,
            },
        )
        found = {text: made for text in texts if (made := kept.get(text)) is not None}
        cost.cached_texts += len(found)
        cost.cached_seconds += sum(made.seconds for made in found.values())
        waiting = [text for text in texts if text not in found]
        if waiting:
            engine = _Engine(self._checkpoint, target, dtype, loaded.device, self._beams, self._max_new_tokens)
            with progress.stage(f"translations into {target.name}", len(waiting)) as advance:
                for start in range(0, len(waiting), _TEXTS):
                    chunk = waiting[start : start + _TEXTS]
                    for text, made in zip(chunk, engine.translate(chunk), strict=True):
                        kept.put(text, made)
                        found[text] = made
                    advance(len(chunk), "")
            del engine
            gc.collect()
        cost.texts += len(texts)
        cost.seconds += time.perf_counter() - started
        cost.generated_tokens += sum(made.tokens for made in found.values())
        cost.on_device = True
        return [found[text] for text in texts]


class _Engine:
    """The model in memory, for one target language."""

    def __init__(
        self, checkpoint: Checkpoint, target: Language, dtype: torch.dtype, device: torch.device, beams: int, max_new_tokens: int
    ) -> None:
        from transformers import AutoModelForSeq2SeqLM

        self._tokenizer = _tokenizer(checkpoint)
        self._target = _language_token(self._tokenizer, target, checkpoint)
        self._beams, self._max_new_tokens = beams, max_new_tokens
        # Between sentences the target has a space only where it sets words apart.
        self._space = " " if target.spaced else ""
        compare_shapes(checkpoint, AutoModelForSeq2SeqLM, open_config(checkpoint))
        self._model = open_model(checkpoint, AutoModelForSeq2SeqLM, dtype=dtype)
        self._model.to(device).eval()

    def translate(self, texts: Sequence[str]) -> list[CachedText]:
        started = time.perf_counter()
        split = [split_text(text) for text in texts]
        sentences = list(dict.fromkeys(piece.text for pieces in split for piece in pieces if piece.translated))
        ids = {text: self._tokenizer(text).input_ids for text in sentences}
        made = {text: CachedText("", "too_long") for text in sentences if len(ids[text]) > _SOURCE_TOKENS}
        waiting = sorted((text for text in sentences if text not in made), key=lambda text: -len(ids[text]))
        for start in range(0, len(waiting), _PIECES):
            chunk = waiting[start : start + _PIECES]
            made.update(zip(chunk, self._generate([ids[text] for text in chunk]), strict=True))
        share = round((time.perf_counter() - started) / len(texts), 4)
        return [self._joined(pieces, made, share) for pieces in split]

    @torch.inference_mode()
    def _generate(self, sources: Sequence[list[int]]) -> list[CachedText]:
        batch = self._tokenizer.pad({"input_ids": list(sources)}, padding_side="right", return_tensors="pt").to(
            self._model.device
        )
        output = self._model.generate(
            input_ids=batch["input_ids"],
            attention_mask=batch["attention_mask"],
            forced_bos_token_id=self._target,
            max_new_tokens=self._max_new_tokens,
            num_beams=self._beams,
            do_sample=False,
        )
        made = []
        # The first token is the one that starts decoding.
        for row in output[:, 1:].tolist():
            end = row.index(self._tokenizer.eos_token_id) if self._tokenizer.eos_token_id in row else None
            text = self._tokenizer.decode(row[:end], skip_special_tokens=True).strip()
            made.append(CachedText(text, "cut" if end is None else "ok" if text else "empty", len(row[:end])))
        return made

    def _joined(self, pieces: Sequence[Piece], made: dict[str, CachedText], seconds: float) -> CachedText:
        parts = [made[piece.text] for piece in pieces if piece.translated]
        tokens = sum(part.tokens for part in parts)
        worst = next((state for state in ("too_long", "cut", "empty") if any(part.state == state for part in parts)), "ok")
        if worst != "ok":
            return CachedText("", worst, tokens, seconds)
        texts = [
            made[piece.text].text if piece.translated else self._space if piece.text == " " else piece.text for piece in pieces
        ]
        return CachedText("".join(texts), "ok", tokens, seconds)


def _tokenizer(checkpoint: Checkpoint) -> Any:
    return open_tokenizer(checkpoint, src_lang=get_language(CENTRAL).nllb)


def _language_token(tokenizer: Any, language: Language, checkpoint: Checkpoint) -> int:
    token = tokenizer.convert_tokens_to_ids(language.nllb)
    if token is None or token == tokenizer.unk_token_id:
        raise UsageError(
            f"the translator {checkpoint.name} knows no {language.name}: it has no token {language.nllb}",
            "NLLB's own codes are looked for; choose another model or translator.",
        )
    return int(token)

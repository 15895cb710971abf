"""Settings of SDRRL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from lensbench.errors import UsageError
from lensbench.jsonio import JsonObject
from lensbench.methods.sft.config import SftConfig

__all__ = ["ALL_COMBOS", "PRESETS", "Combo", "SdrrlConfig"]

Combo = Literal["en-en", "l-l", "l-en", "en-l"]
"""Language of the question, then of the answer; `l` is the target language, `en` the central one."""

ALL_COMBOS: tuple[Combo, ...] = ("en-en", "l-l", "l-en", "en-l")


class SdrrlConfig(SftConfig):
    """Configuration of SDRRL."""

    preset: Literal["default", "small"] = "default"
    """Preset from which the values start."""
    n: int = Field(default=800, ge=1)
    """Central-language questions the backbone answers itself."""
    n_parallel: int | None = Field(default=None, ge=0)
    """Items of the parallel part; null is as many as `n`."""
    n_scope: Literal["total", "per_target"] = "total"
    """`total` splits both numbers evenly over the target languages; `per_target` is for each of them, over the same questions."""
    combos: tuple[Combo, ...] = ALL_COMBOS
    """Language pairs of question and answer that are learned."""
    answer_language_hint: bool = False
    """Ask for the answer's language at the end of the question where it is not the question's own. Not in the paper."""

    max_new_tokens: int = Field(default=512, ge=1)
    """Maximum length of the backbone's own answers; longer ones are left out."""
    generate_batch: int = Field(default=16, ge=1)
    """Answers generated at a time."""
    identifier: str = "lid176"
    """Tells which of the backbone's answers are in the central language: lid176, glotlid, or a fastText file."""

    translator: Literal["nllb", "self", "file", "openai", "none"] = "nllb"
    """Who translates the answers. `none` leaves out what needs a translation, and the fit is labelled `sdrrl-nomt`."""
    translator_model: str | None = None
    """nllb: hub id or folder, null is facebook/nllb-200-distilled-600M. openai: in place of the judge file's model."""
    translator_revision: str | None = None
    """nllb: branch, tag or commit on the hub; null is the model's own default (see docs/sdrrl.md)."""
    translate_max_new_tokens: int = Field(default=1024, ge=1)
    """self: of a translation. nllb: of each piece of one."""
    nllb_beams: int = Field(default=1, ge=1)
    """1 is greedy."""
    translations: str | None = None
    """file: TSV or JSONL with the answers' translations; `{language}` in the name stands for the target's code."""
    judge: str = "gpt-4o"
    """openai: the judge YAML, by name or path, whose server, key, pace and prices are used."""
    base_url: str | None = None
    """openai: in place of the judge file's server."""
    max_usd: float | None = Field(default=None, gt=0)
    """openai: the most the translations may cost."""

    code_switch: float = Field(default=0.0, ge=0, le=1)
    """Probability with which a word of a question that the lexicon has is replaced."""
    lexicon: str | None = None
    """TSV: word of the central language, word of the target language; `{language}` as in `translations`."""

    @property
    def parallel_items(self) -> int:
        return self.n if self.n_parallel is None else self.n_parallel

    @property
    def active_combos(self) -> tuple[Combo, ...]:
        """The combinations that can be made: without a translator there are no answers in the target language."""
        return tuple(c for c in self.combos if self.translator != "none" or not c.endswith("-l"))

    @property
    def needs_translator(self) -> bool:
        return any(combo.endswith("-l") for combo in self.active_combos)

    @property
    def label(self) -> str:
        """Name of the fit: without a translator the core of SDRRL is missing."""
        return "sdrrl-nomt" if self.translator == "none" else "sdrrl"

    def check(self, targets: Sequence[str]) -> None:
        """As every fine-tuning; and the switches must agree with each other.

        Raises:
            UsageError: a repeated combination, nothing to learn, fewer items than target languages, or a file that is not named.
        """
        super().check(targets)
        if len(set(self.combos)) < len(self.combos):
            raise UsageError(f"combos names one twice: {', '.join(self.combos)}", f"Known: {', '.join(ALL_COMBOS)}.")
        if not self.active_combos and not self.parallel_items:
            raise UsageError(
                f"with combos [{', '.join(self.combos)}], translator {self.translator} and n_parallel 0 there is nothing to learn"
            )
        if self.n_scope == "total":
            for name, count in (("n", self.n), ("n_parallel", self.parallel_items)):
                if 0 < count < len(targets):
                    raise UsageError(f"{name}={count} is less than one item for each of {len(targets)} target languages")
        if self.needs_translator and self.translator == "file":
            self._check_file("translations", self.translations, targets)
        if self.code_switch > 0:
            self._check_file("lexicon", self.lexicon, targets)

    def _check_file(self, name: str, value: str | None, targets: Sequence[str]) -> None:
        if value is None:
            wanted = f"code_switch={self.code_switch}" if name == "lexicon" else "translator=file"
            raise UsageError(f"{wanted} needs a file", f"Give one: ``overrides={name}=FILE``")
        if len(targets) > 1 and "{language}" not in value:
            raise UsageError(
                f"{name}={value} is one file for {len(targets)} target languages",
                f"Give a file each and put {{language}} in their name: ``overrides='{name}=answers.{{language}}.tsv'``",
            )


PRESETS: dict[str, JsonObject] = {
    "default": {},
    # For a model of 135M parameters on two cores and data of less than a hundred parallel questions. The model translates itself,
    # which is no translation to speak of at this size: it shows that the method runs.
    "small": {
        "n": 32,
        "translator": "self",
        "max_new_tokens": 128,
        "translate_max_new_tokens": 96,
        "max_length": 256,
        "learning_rate": 5e-5,
        "micro_batch": 1,
    },
}

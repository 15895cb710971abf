"""What INCLINE learns from: texts of a target language beside the same texts in the central one."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lensbench.data.rows import load_rows_spec
from lensbench.data.sources import DataSource, Origin
from lensbench.errors import DataError
from lensbench.languages import get_language
from lensbench.methods.incline.config import InclineConfig

__all__ = ["Pair", "PairCorpora", "load_pairs"]

_SPLITS = {"bactrian_x": "train", "ntrex": "test"}
_SPARE = 10
"""One pair in so many stands by, and so many at least: which pairs are too long is known only with a tokenizer."""


@dataclass(frozen=True)
class Pair:
    """One text in two languages."""

    id: str
    source: str
    """In the target language: the side a prompt will come from."""
    target: str
    """In the central language."""

    def with_central_behind(self) -> Pair:
        """Both sides with the central text behind them (the released code's make-up of every second pair)."""
        return Pair(self.id, f"{self.source} {self.target}", f"{self.target} {self.target}")


@dataclass(frozen=True)
class PairCorpora:
    """Pairs by target language in the order in which they are to be taken; the last ones stand by for those that are too long."""

    central: str
    pairs: Mapping[str, Sequence[Pair]]
    origins: Mapping[str, Origin] = field(default_factory=dict)

    @property
    def languages(self) -> tuple[str, ...]:
        return (self.central, *self.pairs)

    def texts(self) -> Iterator[str]:
        """Every text the method may see."""
        for pairs in self.pairs.values():
            for pair in pairs:
                yield pair.source
                yield pair.target


def load_pairs(
    source: DataSource, languages: Sequence[str], config: InclineConfig, revisions: Mapping[str, str] | None = None
) -> PairCorpora:
    """Pairs of every target language with the central one, matched by id.

    Args:
        languages: Codes, the central language first.
        revisions: Hub commit by row definition, when a run goes on.

    Raises:
        UnavailableError: the source has no such rows in a language.
        DataError: fewer pairs than the configuration asks for.
    """
    spec = load_rows_spec(config.pairs)
    sides: dict[str, dict[str, str]] = {}
    origins: dict[str, Origin] = {}
    for code in languages:
        loaded = source.load(spec, get_language(code), _SPLITS[config.pairs], (revisions or {}).get(config.pairs))
        origins[f"{config.pairs}/{code}"] = loaded.origin
        sides[code] = {row["id"]: _text(row, config.pairs) for row in loaded.rows}
    central, *targets = languages
    pairs = {}
    for code in targets:
        matched = [Pair(i, sides[code][i], text) for i, text in sides[central].items() if text and sides[code].get(i)]
        wanted = (config.n_pairs or 1) + (config.n_dev if config.alpha_of(code) is None else 0)
        if len(matched) < wanted:
            raise DataError(_too_few(code, central, len(matched), config, origins[f"{config.pairs}/{code}"].name), _HINT)
        if config.sample == "random":
            # Shuffled as a whole, so that asking for more pairs keeps those of a smaller fit.
            random.Random(config.seed).shuffle(matched)
        pairs[code] = matched if config.n_pairs is None else matched[: wanted + max(wanted // _SPARE, _SPARE)]
    return PairCorpora(central, pairs, origins)


_HINT = "Ask for fewer with n_pairs, or for all of them with the value null; a fixed alpha holds none out."


def _too_few(code: str, central: str, found: int, config: InclineConfig, where: str) -> str:
    held_out = f" and {config.n_dev} held out to choose alpha" if config.alpha_of(code) is None else ""
    return (
        f"{config.n_pairs or 'all'} pairs of {get_language(code).name} with {get_language(central).name}{held_out} were asked "
        f"for, {config.pairs} in {where} has {found}"
    )


def _text(row: Mapping[str, Any], rows: str) -> str:
    if rows == "ntrex":
        return str(row["text"]).strip()
    return "\n".join(part for part in (row["instruction"].strip(), row["input"].strip()) if part)

"""Training data of INCLINE: texts of a target language with the same texts in the central language."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from lensbench.datasets.sources import DataSource, Origin
from lensbench.errors import DataError
from lensbench.languages import get_language
from lensbench.methods.corpora.parallel import Pair, load_parallel
from lensbench.methods.incline.config import InclineConfig

__all__ = ["PairCorpora", "load_pairs", "with_central_behind"]

_SPARE = 10
"""One pair in so many stands by, and so many at least: which pairs are too long is known only with a tokenizer."""


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
    central = languages[0]
    found, origins = load_parallel(source, config.pairs, languages, revisions)
    pairs = {}
    for code, matched in found.items():
        wanted = (config.n_pairs or 1) + (config.n_dev if config.alpha_of(code) is None else 0)
        if len(matched) < wanted:
            where = next(origin.name for key, origin in origins.items() if key.endswith(f"/{code}"))
            raise DataError(_too_few(code, central, len(matched), config, where), _HINT)
        if config.sample == "random":
            # Shuffled as a whole, so that asking for more pairs keeps those of a smaller fit.
            random.Random(config.seed).shuffle(matched)
        pairs[code] = matched if config.n_pairs is None else matched[: wanted + max(wanted // _SPARE, _SPARE)]
    return PairCorpora(central, pairs, origins)


_HINT = "Request fewer with n_pairs, or for all of them with the value null; a fixed alpha holds none out."


def _too_few(code: str, central: str, found: int, config: InclineConfig, where: str) -> str:
    held_out = f" and {config.n_dev} held out to choose alpha" if config.alpha_of(code) is None else ""
    return (
        f"{config.n_pairs or 'all'} pairs of {get_language(code).name} with {get_language(central).name}{held_out} were asked "
        f"for, {config.pairs} in {where} has {found}"
    )


def with_central_behind(pair: Pair) -> Pair:
    """Both sides with the central text behind them (the released code's make-up of every second pair)."""
    return Pair(pair.id, f"{pair.source} {pair.target}", f"{pair.target} {pair.target}")

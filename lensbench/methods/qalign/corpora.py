"""Training data of QAlign: the same question in two languages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from lensbench.datasets.sources import DataSource, Origin
from lensbench.errors import DataError
from lensbench.languages import get_language
from lensbench.methods.corpora.parallel import load_parallel
from lensbench.methods.qalign.config import QalignConfig
from lensbench.methods.qalign.prompts import translation_request
from lensbench.methods.sft.encode import Example
from lensbench.methods.sft.instruction_data import BACTRIAN, sample

__all__ = ["QalignCorpora", "load_qalign", "shares"]


@dataclass(frozen=True)
class QalignCorpora:
    """Requests to translate a question into the central language, with the translation."""

    languages: tuple[str, ...]
    """The central language first."""
    examples: Sequence[Example]
    counts: Mapping[str, Mapping[str, int]]
    """By pool: ids in both languages, pairs equal on both sides (left out), pairs chosen."""
    origins: Mapping[str, Origin]

    def texts(self) -> Iterator[str]:
        """Every text the method sees."""
        for example in self.examples:
            yield example.question
            yield example.answer


def shares(total: int, parts: int) -> list[int]:
    """A total split as evenly as can be; the first parts get what is left over."""
    return [total // parts + (index < total % parts) for index in range(parts)]


def load_qalign(
    source: DataSource, languages: tuple[str, ...], config: QalignConfig, revisions: Mapping[str, str] | None = None
) -> QalignCorpora:
    """Pair questions by id.

    Args:
        languages: Codes, the central language first.

    Raises:
        UnavailableError: the source has no such rows in a language; names it.
        DataError: fewer pairs than asked for, or none: names the language.
        UsageError: the warm-up would take every step.
    """
    central, *targets = languages
    split = config.bactrian_split if config.pairs == BACTRIAN else None
    found, origins = load_parallel(source, config.pairs, languages, revisions, split=split)
    wanted = [None] * len(targets) if config.n_pairs is None else shares(config.n_pairs, len(targets))
    examples: list[Example] = []
    counts: dict[str, dict[str, int]] = {}
    for code, n in zip(targets, wanted, strict=True):
        different = [pair for pair in found[code] if pair.source != pair.target]
        pool, origin = next((key, origin) for key, origin in origins.items() if key.endswith(f"/{code}"))
        if len(different) < (n or 1):
            raise DataError(
                f"{'pairs' if n is None else f'{n} pairs'} of questions in {get_language(code).name} and "
                f"{get_language(central).name} were requested, {origin.name} has {len(different)}: {len(found[code])} ids are in "
                f"both languages, {len(found[code]) - len(different)} of them with the same text",
                f"n_pairs={len(different) * len(targets)} would do." if different else "Rows are paired by their id.",
            )
        chosen = sample(different, n, config.seed)
        examples += [Example(translation_request(pair.source, code, central), pair.target, pool) for pair in chosen]
        counts[pool] = {"pairs": len(found[code]), "equal": len(found[code]) - len(different), "chosen": len(chosen)}
    config.steps(len(examples))
    return QalignCorpora(languages, examples, counts, origins)

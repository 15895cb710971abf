"""What QAlign learns from: the same question in two languages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from lensbench.data.rows import load_rows_spec
from lensbench.data.sources import DataSource, Origin
from lensbench.errors import DataError, UnavailableError
from lensbench.languages import get_language
from lensbench.methods.qalign.config import QalignConfig
from lensbench.methods.qalign.prompts import translation_request
from lensbench.methods.sft.encode import Example
from lensbench.methods.sft.pools import BACTRIAN, bactrian_prompt, sample

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
    """Pair Bactrian-X questions by id.

    Args:
        languages: Codes, the central language first.

    Raises:
        UnavailableError: the source has no Bactrian-X rows in a language; names it.
        DataError: fewer pairs than asked for, or none: names the language.
        UsageError: the warm-up would take every step.
    """
    central, *targets = languages
    origins: dict[str, Origin] = {}
    sides: dict[str, dict[str, str]] = {}
    for code in languages:
        sides[code], origins[f"{BACTRIAN}/{code}"] = _questions(source, code, config.bactrian_split, revisions or {})
    wanted = [None] * len(targets) if config.n_pairs is None else shares(config.n_pairs, len(targets))
    examples: list[Example] = []
    counts: dict[str, dict[str, int]] = {}
    for code, n in zip(targets, wanted, strict=True):
        common = [i for i, text in sides[central].items() if text and sides[code].get(i)]
        different = [i for i in common if sides[code][i] != sides[central][i]]
        if len(different) < (n or 1):
            raise DataError(
                f"{'pairs' if n is None else f'{n} pairs'} of questions in {get_language(code).name} and "
                f"{get_language(central).name} were asked for, {origins[f'{BACTRIAN}/{code}'].name} has {len(different)}: "
                f"{len(common)} ids are in both languages, {len(common) - len(different)} of them with the same text",
                f"n_pairs={len(different) * len(targets)} would do." if different else "Rows are paired by their id.",
            )
        chosen = sample(different, n, config.seed)
        pool = f"{BACTRIAN}/{code}"
        examples += [Example(translation_request(sides[code][i], code, central), sides[central][i], pool) for i in chosen]
        counts[pool] = {"pairs": len(common), "equal": len(common) - len(different), "chosen": len(chosen)}
    config.steps(len(examples))
    return QalignCorpora(languages, examples, counts, origins)


def _questions(source: DataSource, code: str, split: str, revisions: Mapping[str, str]) -> tuple[dict[str, str], Origin]:
    language = get_language(code)
    try:
        loaded = source.load(load_rows_spec(BACTRIAN), language, split, revisions.get(BACTRIAN))
    except UnavailableError as error:
        raise UnavailableError(f"QAlign needs questions in {language.name} ('{code}'): {error.message}", error.hint) from None
    return {str(row["id"]): bactrian_prompt(row) for row in loaded.rows}, loaded.origin

"""Rows with answers, as examples: the Aya Dataset and Bactrian-X, each in its own language."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from lensbench.datasets.rows import load_rows_spec
from lensbench.datasets.sources import DataSource, Origin
from lensbench.errors import DataError
from lensbench.languages import get_language
from lensbench.methods.corpora.parallel import prompt_of
from lensbench.methods.corpora.probing import one_chinese_script
from lensbench.methods.sft.encode import Example

__all__ = ["AYA", "BACTRIAN", "Pool", "answered", "sample"]

AYA = "aya"
BACTRIAN = "bactrian_x"
T = TypeVar("T")


@dataclass(frozen=True)
class Pool:
    """The examples chosen from one data set in one language, and what became of the other rows."""

    examples: list[Example]
    rows: int
    """Rows there are; for Chinese Aya without those in Traditional script."""
    without_answer: int
    """Rows left out because the answer is missing or blank."""
    origin: Origin

    def counts(self) -> dict[str, int]:
        return {"rows": self.rows, "without_answer": self.without_answer, "chosen": len(self.examples)}


def answered(
    source: DataSource,
    rows: str,
    code: str,
    n: int | None,
    seed: int,
    *,
    switch: str,
    split: str = "train",
    revision: str | None = None,
) -> Pool:
    """Sample rows that have an answer.

    The sampling is that of `data.corpora`, so with the same seed and no row left out these are the rows LENS learns from.

    Args:
        rows: AYA or BACTRIAN.
        n: How many; None takes all there are.
        switch: The configuration's name for `n`, for messages.

    Raises:
        UnavailableError: the source has no such rows in this language.
        DataError: fewer rows with an answer than asked for, or none at all; says how many there are.
    """
    language = get_language(code)
    loaded = source.load(load_rows_spec(rows), language, split, revision)
    kept = one_chinese_script(loaded.rows, language) if rows == AYA else loaded.rows
    shape = _SHAPES[rows]
    examples = [Example(*shape(row), f"{rows}/{code}") for row in kept]
    good = [e for e in examples if e.question.strip() and e.answer.strip()]
    if len(good) < (n or 1):
        wanted = "rows" if n is None else f"{n} rows"
        raise DataError(
            f"{wanted} of {rows} with an answer in {language.name} were requested, {loaded.origin.name} has {len(good)}: "
            f"{len(examples) - len(good)} of its {len(examples)} have none",
            f"Request fewer ({switch}={len(good)}), or give a source whose rows have answers.",
        )
    return Pool(sample(good, n, seed), len(examples), len(examples) - len(good), loaded.origin)


def sample(pool: list[T], n: int | None, seed: int) -> list[T]:
    """`n` of a pool in random order; the whole pool in its own order when that is all of it."""
    return pool if n is None or n == len(pool) else random.Random(seed).sample(pool, n)


def _bactrian(row: Mapping[str, Any]) -> tuple[str, str]:
    return prompt_of(row), _text(row, "output")


def _aya(row: Mapping[str, Any]) -> tuple[str, str]:
    return _text(row, "inputs"), _text(row, "targets")


_SHAPES: dict[str, Callable[[Mapping[str, Any]], tuple[str, str]]] = {AYA: _aya, BACTRIAN: _bactrian}


def _text(row: Mapping[str, Any], name: str) -> str:
    return str(row.get(name) or "").strip()

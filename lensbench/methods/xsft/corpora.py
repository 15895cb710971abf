"""Training data of xSFT."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from lensbench.datasets.sources import DataSource, Origin
from lensbench.errors import DataError
from lensbench.methods.sft.encode import Example
from lensbench.methods.sft.instruction_data import AYA, BACTRIAN, Pool, answered, sample
from lensbench.methods.xsft.config import XsftPools

__all__ = ["XsftCorpora", "load_xsft"]


@dataclass(frozen=True)
class XsftCorpora:
    """Instructions with answers, each in its own language."""

    languages: tuple[str, ...]
    """The central language first."""
    pools: Mapping[str, Pool]
    """`<rows>/<language>` -> what was chosen there."""
    examples: Sequence[Example]
    """Examples of all pools; `n_total` can limit their number."""

    @property
    def origins(self) -> Mapping[str, Origin]:
        return {key: pool.origin for key, pool in self.pools.items()}

    def texts(self) -> Iterator[str]:
        """Every text the method sees."""
        for example in self.examples:
            yield example.question
            yield example.answer

    def counts(self) -> dict[str, dict[str, int]]:
        """By pool: rows, those without an answer, those chosen, and those given to training."""
        return {key: {**pool.counts(), "given": sum(e.pool == key for e in self.examples)} for key, pool in self.pools.items()}


def load_xsft(
    source: DataSource,
    languages: tuple[str, ...],
    config: XsftPools,
    revisions: Mapping[str, str] | None = None,
    *,
    central: bool,
) -> XsftCorpora:
    """Choose the rows.

    Args:
        languages: Codes, the central language first.
        central: Whether the central language's Aya rows are learned too; its Bactrian-X rows never are.

    Raises:
        UnavailableError: the source lacks the rows of a language.
        DataError: fewer rows with an answer than asked for.
        UsageError: the warm-up would take every step.
    """
    revisions = revisions or {}
    targets = languages[1:]
    pools: dict[str, Pool] = {}
    if config.n_aya != 0:
        for code in languages if central else targets:
            pools[f"{AYA}/{code}"] = answered(
                source, AYA, code, config.n_aya, config.seed, switch="n_aya", revision=revisions.get(AYA)
            )
    if config.n_bactrian != 0:
        for code in targets:
            pools[f"{BACTRIAN}/{code}"] = answered(
                source,
                BACTRIAN,
                code,
                config.n_bactrian,
                config.seed,
                switch="n_bactrian",
                split=config.bactrian_split,
                revision=revisions.get(BACTRIAN),
            )
    examples = [example for pool in pools.values() for example in pool.examples]
    if config.n_total is not None and config.n_total > len(examples):
        have = ", ".join(f"{len(pool.examples)} in {key}" for key, pool in pools.items())
        raise DataError(
            f"n_total={config.n_total} rows were requested, {len(examples)} were chosen ({have})",
            "Request fewer, or raise n_aya and n_bactrian.",
        )
    examples = sample(examples, config.n_total, config.seed)
    config.steps(len(examples))
    return XsftCorpora(languages, pools, examples)

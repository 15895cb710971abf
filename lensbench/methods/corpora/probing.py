"""The corpora of a method: probing texts per language, and prompts that are parallel across languages."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lensbench.datasets.rows import Row, load_rows_spec
from lensbench.datasets.sources import DataSource, Origin
from lensbench.errors import DataError
from lensbench.languages import Language, get_language
from lensbench.methods.corpora.parallel import prompt_of

__all__ = ["Corpora", "ParallelPrompt", "load_corpora", "one_chinese_script"]

PROBE_ROWS = "aya"
PARALLEL_ROWS = "bactrian_x"


@dataclass(frozen=True)
class ParallelPrompt:
    """One prompt in several languages: the same source item, so one id."""

    id: str
    text: Mapping[str, str]
    """Language code -> the instruction, and behind a newline its input where it has one; plain text, without a chat template."""


@dataclass(frozen=True)
class Corpora:
    """Texts and prompts for a method. The central language comes first in both."""

    languages: tuple[str, ...]
    probing: Mapping[str, Sequence[str]]
    """Language code -> texts; the languages' texts are not translations of each other."""
    parallel: Sequence[ParallelPrompt]
    origins: Mapping[str, Origin] = field(default_factory=dict)

    def texts(self) -> Iterator[str]:
        """Every text a method sees."""
        for texts in self.probing.values():
            yield from texts
        for prompt in self.parallel:
            yield from prompt.text.values()


def load_corpora(
    source: DataSource,
    languages: Sequence[str],
    *,
    n_probe: int | None,
    n_parallel: int | None,
    seed: int,
    probe_text: str = "inputs+targets",
    revisions: Mapping[str, str] | None = None,
) -> Corpora:
    """Sample the corpora of LENS (section "Experimental setup": Aya for probing, Bactrian-X for manipulation).

    Args:
        languages: Codes, the central language first.
        n_probe: Texts per language; None for all there are, 0 for none: aya is then not read.
        n_parallel: Parallel prompts; None for all there are, 0 for none: Bactrian-X is then not read.
        seed: Of both samples.
        probe_text: "inputs+targets" (run together with no separator, as the authors' file has them) or "inputs".
        revisions: Hub commit by data set, when a run goes on.

    Raises:
        DataError: fewer rows than asked for, or too few prompts that exist in every language.
    """
    revisions = revisions or {}
    probing: dict[str, list[str]] = {}
    sides: dict[str, dict[str, str]] = {}
    origins: dict[str, Origin] = {}
    for code in languages:
        language = get_language(code)
        if n_probe != 0:
            loaded = source.load(load_rows_spec(PROBE_ROWS), language, "train", revisions.get(PROBE_ROWS))
            origins[f"{PROBE_ROWS}/{code}"] = loaded.origin
            rows = one_chinese_script(loaded.rows, language)
            texts = [row["inputs"] + (row["targets"] if probe_text == "inputs+targets" else "") for row in rows]
            probing[code] = _sample(texts, n_probe, seed, f"probing texts in {language.name}", loaded.origin)
        if n_parallel != 0:
            loaded = source.load(load_rows_spec(PARALLEL_ROWS), language, "train", revisions.get(PARALLEL_ROWS))
            origins[f"{PARALLEL_ROWS}/{code}"] = loaded.origin
            sides[code] = {row["id"]: prompt_of(row) for row in loaded.rows}
    parallel: list[ParallelPrompt] = []
    if sides:
        common = [i for i in sides[languages[0]] if all(sides[code].get(i) for code in languages)]
        chosen = _sample(
            common, n_parallel, seed, f"prompts parallel in {', '.join(languages)}", origins[f"{PARALLEL_ROWS}/{languages[0]}"]
        )
        parallel = [ParallelPrompt(i, {code: sides[code][i] for code in languages}) for i in chosen]
    return Corpora(tuple(languages), probing, parallel, origins)


def one_chinese_script(rows: Sequence[Row], language: Language) -> list[Row]:
    """Aya keeps two scripts under one code for Chinese; the simplified one is taken."""
    if language.code != "zh":
        return list(rows)
    return [row for row in rows if "Traditional" not in (row.get("language") or "")]


def _sample(pool: list[Any], n: int | None, seed: int, what: str, origin: Origin) -> list[Any]:
    if n is None or n == len(pool):
        return pool
    if n > len(pool):
        raise DataError(
            f"{n} {what} were requested, {origin.name} has {len(pool)}", "Request fewer, or use null for all of them."
        )
    return random.Random(seed).sample(pool, n)

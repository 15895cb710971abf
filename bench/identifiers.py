"""How often lid.176 is right at which probability, and how much ordinary texts repeat themselves: evidence for two thresholds.

    make bench-identifiers              # real rows under LENSBENCH_REAL_DATA; prints the tables of docs/fidelity.md

Rule of the floor: the lowest step of 0.05 at which, in every kind of text, at least 90% of the labels that are as probable or
more are right. Rule of repetition: a round share below which at least 99.5% of the texts stay, in every kind and language.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lensbench.grading.fidelity import Identifier, is_strict, load_identifier
from lensbench.grading.repetition import REPETITIVE, repetition_share
from lensbench.languages import Language, get_language, language_of

RIGHT = 0.9
"""Share of the labels from the floor on that are right, at least."""
STEPS = tuple(round(0.05 * step, 2) for step in range(20))
ORDINARY = 0.995
"""Share of ordinary texts that are not called repetitive, at least."""
_WORDS, _SIGNS = 5, 10
"""Length of a fragment: words, or characters where no spaces separate words. The Language Confusion Benchmark leaves out lines
with fewer than five words."""
_MT_BENCH = {"bengali": "bn", "thai": "th", "hindi": "hi", "es": "es", "it": "it", "jp": "ja"}


class Text(NamedTuple):
    kind: str
    code: str
    """Of the language it is in: canonical, or MultiQ's where the table has no such language."""
    text: str


class Labelled(NamedTuple):
    kind: str
    probability: float
    right: bool


def ordinary_texts(data: Path) -> Iterator[Text]:
    """Texts of people, and answers of large models, in known languages."""
    for path in sorted((data / "ntrex" / "NTREX-128").glob("*.txt")):
        language = language_of("ntrex", path.name.split(".")[1])
        assert language is not None, path
        yield from _news(path, language)
    with (data / "multiq" / "MultiQ.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            known = language_of("multiq", row["language"])
            yield Text("question", known.code if known else f"multiq:{row['language']}", row["prompt"])
    for path in sorted((data / "arena_hard_answers").rglob("*.jsonl")):
        found = re.search(r"arena-hard-v0\.1-(\w\w)", str(path))
        for row in _rows(path):
            yield Text("answer", found[1] if found else "en", row["choices"][0]["turns"][0]["content"])
    for name, code in _MT_BENCH.items():
        for path in sorted((data / "mt_bench" / "servicenow" / f"mt_bench_{name}").rglob("*.jsonl")):
            yield from (
                Text("answer", code, turn) for row in _rows(path) for one in row.get("choices", ()) for turn in one["turns"]
            )
    for code in ("en", "zh"):
        rows = json.loads((data / "alpaca_demo" / f"alpaca_{code}_demo.json").read_text(encoding="utf-8"))
        yield from (Text("answer", code, row["output"]) for row in rows)
    for path in sorted(path for path in (data / "lens" / "aya_en_zh_ja_ar_ko_bn_sw_300").rglob("*") if path.is_file()):
        yield from (Text("prompt and answer", code, text) for row in _rows(path) for code, text in row.items())


def _news(path: Path, language: Language) -> Iterator[Text]:
    """The sentences of NTREX, the beginnings of them, and the documents that they form."""
    documents: dict[str, list[str]] = defaultdict(list)
    names = next(path.parents[1].rglob("DOCUMENT_IDS.tsv")).read_text(encoding="utf-8").splitlines()
    # Some files have fewer lines than others; all languages weigh the same.
    for name, line in list(zip(names, path.read_text(encoding="utf-8").splitlines(), strict=False))[:800]:
        documents[name].append(line)
        yield Text("sentence", language.code, line)
        yield Text("fragment", language.code, " ".join(line.split()[:_WORDS]) if language.spaced else line[:_SIGNS])
    yield from (Text("document", language.code, "\n".join(lines)) for lines in documents.values())


def _rows(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]


def labelled(texts: Iterable[Text], identifier: Identifier) -> list[Labelled]:
    """The texts in languages of the table that have a label at all, each with whether the label is the language's own."""
    found = []
    for kind, code, text in texts:
        one = identifier.identify(text) if ":" not in code else None
        if one is not None and one.probability is not None:
            found.append(Labelled(kind, one.probability, is_strict(one.label, get_language(code))))
    return found


def right_from(labels: Sequence[Labelled], floor: float) -> dict[str, float]:
    """Kind -> share of the labels of at least this probability that are right."""
    kept: dict[str, list[bool]] = defaultdict(list)
    for one in labels:
        if one.probability >= floor:
            kept[one.kind].append(one.right)
    return {kind: float(np.mean(right)) for kind, right in kept.items()}


def floor_by_rule(labels: Sequence[Labelled]) -> float:
    """The lowest step at which at least 90% of the labels of every kind are right.

    Raises:
        ValueError: there is none.
    """
    for step in STEPS:
        if min(right_from(labels, step).values()) >= RIGHT:
            return step
    raise ValueError("at no probability are 90% of the labels right")


def floor_lines(labels: Sequence[Labelled], floor: float) -> list[str]:
    """Markdown: by kind what the floor changes, then by probability how many labels are right."""
    every, kept = right_from(labels, 0), right_from(labels, floor)
    lines = ["| text | labels | right | right from the floor on | right labels below it |", "|---|---|---|---|---|"]
    for kind, right in every.items():
        own = [one for one in labels if one.kind == kind]
        lost = sum(one.right and one.probability < floor for one in own) / sum(one.right for one in own)
        lines.append(f"| {kind} | {len(own):,} | {right:.1%} | {kept[kind]:.1%} | {lost:.1%} |")
    lines += ["", "| probability | labels | right |", "|---|---|---|"]
    for low in np.arange(0, 1, 0.1):
        own = [one for one in labels if low <= one.probability + 1e-9 < low + 0.1 or (low > 0.89 and one.probability >= low)]
        lines.append(f"| {low:.1f} to {low + 0.1:.1f} | {len(own):,} | {np.mean([one.right for one in own]):.1%} |")
    return lines


def repetition_shares(texts: Iterable[Text]) -> dict[tuple[str, str], np.ndarray]:
    """(kind, language) -> the repetition share of each text."""
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    for kind, code, text in texts:
        found[kind, code].append(repetition_share(text))
    return {place: np.array(shares) for place, shares in found.items()}


def repetition_lines(shares: dict[tuple[str, str], np.ndarray]) -> list[str]:
    """Markdown: by kind how far ordinary texts repeat themselves."""
    lines = [f"| text | languages | texts | 99.5% stay below | highest | above {REPETITIVE:g} |", "|---|---|---|---|---|---|"]
    for kind in dict.fromkeys(kind for kind, _ in shares):
        own = [values for (other, _), values in shares.items() if other == kind]
        every = np.concatenate(own)
        most, above = np.quantile(every, ORDINARY), int((every > REPETITIVE).sum())
        lines.append(f"| {kind} | {len(own)} | {len(every):,} | {most:.2f} | {every.max():.2f} | {above} |")
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("LENSBENCH_REAL_DATA"), help="folder of real rows")
    parser.add_argument("--identifier", default="lid176", help="lid176, glotlid or a file")
    options = parser.parse_args()
    if options.data is None:
        parser.error("name the folder of real rows with --data or LENSBENCH_REAL_DATA")
    texts = list(ordinary_texts(Path(options.data)))
    labels = labelled(texts, load_identifier(options.identifier))
    floor = floor_by_rule(labels)
    print(f"floor of {options.identifier} by the rule: {floor:g}", "", *floor_lines(labels, floor), "", sep="\n")
    print(*repetition_lines(repetition_shares(texts)), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

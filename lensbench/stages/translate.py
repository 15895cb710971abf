"""A question set for a language without one, translated from another language's set with a judge's API and marked as such."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lensbench.datasets.importing.report import ImportedFile
from lensbench.datasets.importing.writing import Manifest, parquet_bytes, write_atomically
from lensbench.datasets.rows import check_rows, load_rows_spec
from lensbench.datasets.sources import DataSource
from lensbench.errors import RunError, UsageError
from lensbench.grading.judge.registry import Judge
from lensbench.grading.judge.spend import Budget
from lensbench.grading.judge.translate import translate_texts
from lensbench.languages import Language
from lensbench.methods.base import Progress

__all__ = ["translate_questions"]

_ROWS, _SPLIT = "mt_bench", "test"
_FIELDS = ("turns", "reference", "reference_answer")


def translate_questions(
    source: DataSource,
    judge: Judge,
    origin: Language,
    target: Language,
    folder: Path,
    progress: Progress,
    *,
    max_usd: float | None,
) -> ImportedFile:
    """Write `mt_bench/<code>/test.parquet` into a data folder.

    Every text is one request; replies are kept in the cache that all judging shares, so the same command goes on after a stop.

    Raises:
        UsageError: the origin has no questions, or the file is there already.
        RunError: a text came back empty or cut, or not at all; nothing is written then.
    """
    spec = load_rows_spec(_ROWS)
    path = folder / _ROWS / target.code / f"{_SPLIT}.parquet"
    if path.exists():
        raise UsageError(f"{path} is there already", "Move it away, or give another ``to``.")
    rows = source.load(spec, origin, _SPLIT)
    texts = list(dict.fromkeys(text for row in rows.rows for field in _FIELDS for text in row.get(field) or () if text.strip()))
    budget = Budget(judge.file.prices, max_usd)
    with progress.stage(f"{origin.name} -> {target.name} · {judge.model}", len(texts)) as advance:
        found = _translate(judge, budget, texts, origin, target, advance)
    translated = [
        {**row, **{field: [found.get(text, text) for text in row[field]] for field in _FIELDS if row.get(field)}}
        for row in rows.rows
    ]
    check_rows(translated, spec, str(path))
    content = parquet_bytes(translated, spec, str(path))
    write_atomically(path, content)
    entry = ImportedFile(
        path=path.relative_to(folder).as_posix(),
        rows=_ROWS,
        language=target.code,
        split=_SPLIT,
        n=len(translated),
        sha256=hashlib.sha256(content).hexdigest(),
        source=(f"{rows.origin.name}: {_ROWS} in {origin.name}",),
        source_sha256=(rows.origin.digest,),
        licence=spec.licence,
        stand_in=f"machine-translated from {origin.name} by {judge.model} on {datetime.date.today()}, not checked by anyone",
        notes=(f"{len(texts)} texts",),
    )
    Manifest(folder).put(entry)
    return entry


def _translate(
    judge: Judge, budget: Budget, texts: Sequence[str], origin: Language, target: Language, advance: Any
) -> Mapping[str, str]:
    made = translate_texts(
        judge, budget, texts, origin, target, lambda: advance(1, f"${budget.spent_usd:.2f}" if budget.prices else "")
    )
    missing = {**made.failures, **{text: f"the translation of {text[:60]!r} is {why}" for text, why in made.unusable.items()}}
    if missing:
        raise RunError(
            f"{len(missing)} of {len(texts)} texts are not translated: {next(iter(missing.values()))}",
            "Run the same command again to continue.",
        )
    return made.texts

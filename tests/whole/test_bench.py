"""The page of benchmarks is written from what was measured, and from nothing else."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest

BENCH = Path(__file__).parents[2] / "bench"
MACHINE = {"processor": "a processor", "cores": 2, "load": 0.04, "torch": "2.13.0", "date": "2026-11-21"}
SCORED = {
    "row": "xcopa:zh",
    "items": 500,
    "other": [[30.0, 60.0], [10.0, 20.0]],
    "ours": [[5.0, 10.0], [5.0, 10.0]],
    "ratio": 4.0,
    "cpu_ratio": 4.0,
    "at_least": 1.5,
    "unique_tokens": 10,
    "forwarded_tokens": 11,
    "forwarded_per_unique": 1.1,
    "head_positions": 3,
}
STEP = {
    "row": "step, floor of its 1234 tokens",
    "other": [[2.0, 4.0]],
    "ours": [[1.0, 2.0]],
    "ratio": 0.5,
    "cpu_ratio": 0.5,
    "at_most": 1.2,
}
ANSWERED = {
    "row": "8 variants",
    "answers": 128,
    "tokens": 1000,
    "other": [[10.0, 20.0]],
    "ours": [[4.0, 8.0]],
    "ratio": 2.5,
    "cpu_ratio": 2.5,
    "differ": 2,
    "tied": 1,
}


@pytest.fixture
def document(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(BENCH)
    yield importlib.import_module("document")
    for name in ("document", "scoring", "lens", "generation", "measuring"):
        sys.modules.pop(name, None)


def test_tables_stand_where_the_page_has_a_place_for_them(document: Any) -> None:
    rows = {"scoring": SCORED, "lens": STEP, "generation": ANSWERED}
    tables = {name: document.table(name, {"machine": MACHINE, "rows": [row]}) for name, row in rows.items()}
    page = document.written(document.PAGE.read_text(), tables)
    assert document.written(page, tables) == page
    for line in (
        "a processor, 2 cores, load 0.0, torch 2.13.0, 2026-11-21.",
        "| xcopa:zh | 500 | 20.0 s | 5.0 s | 4.00 | 4.00 | >= 1.5 | 10 unique, 11 forwarded (1.100), 3 at the head |",
        "| step, floor of its 1234 tokens | 2.00 s | 1.00 s | 0.50 | 0.50 | <= 1.2 |",
        "| 8 variants | 128 | 100 tokens/s | 250 tokens/s | 2.50 | 2.50 | 2, 1 |",
    ):
        assert page.count(line) == (3 if line.startswith("a processor") else 1), line
    for line in page.splitlines():
        if line.startswith("|"):
            assert line.endswith("|")
    with pytest.raises(SystemExit, match="no place"):
        document.written("a page", tables)


def test_the_page_says_what_was_measured_last(document: Any) -> None:
    page = document.PAGE.read_text()
    for name in document.TABLES:
        file = BENCH / f"{name}.json"
        if file.is_file():
            assert document.table(name, json.loads(file.read_text())) in page, f"bench/document.py was not run after {file}"

"""Runs of hand-made cells, for tests of figures: nothing is computed, so what is drawn can be compared with what was written."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from lensbench.numbers.run_results import read_results
from lensbench.numbers.verdict import with_verdict
from lensbench.records import RunFolder
from lensbench.reporting.run_view import RunView

TITLES = {"xcopa": "XCOPA", "m_mmlu": "M-MMLU", "mt_bench": "MT-Bench", "multiq": "MultiQ"}
JUDGE, IDENTIFIER = "strict:m:1", "lid176:2"


def cell(
    task: str, language: str, variant: str, value: float | None, low: float | None, high: float | None, **more: Any
) -> dict[str, Any]:
    return {
        "task": task,
        "language": language,
        "profile": "lens-paper",
        "variant": variant,
        "metric": "acc",
        "unit": "share",
        "source": "",
        "value": value,
        "n": 100,
        "failures": 0,
        "low": low,
        "high": high,
        "delta": None,
        "delta_low": None,
        "delta_high": None,
        "signature": f"{task}:{language}:{variant}",
        "states": {"ok": 100},
        "planned": 100,
        "picks": [],
        "clusters": 100,
        "test": None,
        "p_value": None,
        "smallest_detectable": None,
        **more,
    }


def rating(language: str, variant: str, value: float, low: float, high: float, **more: Any) -> dict[str, Any]:
    return cell("mt_bench", language, variant, value, low, high, metric="rating", unit="rating", source=JUDGE, **more)


def run(
    path: Path,
    cells: Sequence[dict[str, Any]],
    *,
    label: str = "",
    variants: Sequence[str] = (),
    backbone: str = "hand-made",
    external: dict[str, str] | None = None,
    cards: dict[str, dict[str, Any]] | None = None,
    **more: Any,
) -> RunView:
    """A run whose results are these cells.

    Args:
        variants: In order; default: those of the cells.
        external: Variant -> title of the checkpoint that it is.
        cards: Variant -> card of its fit.
    """
    path.mkdir(parents=True, exist_ok=True)
    for name, card in (cards or {}).items():
        home = path / "enhancements" / name
        home.mkdir(parents=True)
        (home / "card.json").write_text(json.dumps(card), encoding="utf-8")
    content = content_of(cells, variants=variants, backbone=backbone, external=external or {}, **more)
    return RunView(RunFolder(path), read_results(content), label)


def content_of(
    cells: Sequence[dict[str, Any]],
    *,
    variants: Sequence[str] = (),
    backbone: str = "hand-made",
    external: Mapping[str, str] = MappingProxyType({}),
    **more: Any,
) -> dict[str, Any]:
    """Content of a `results.json` that holds these cells."""
    names = variants or list(dict.fromkeys(c["variant"] for c in cells))
    tasks = dict.fromkeys(f"{c['task']}/{c['language']}" for c in cells)
    others = external
    results = {
        "backbone": backbone,
        "backbone_origin": {"kind": "local"},
        "gaps": [],
        "cells": list(cells),
        "variants": {n: {"digest": n, **({"external": {"title": others[n]}} if n in others else {})} for n in names},
        "tasks": {
            t: {"title": TITLES[t.partition("/")[0]], "substitute": None, "origin": None, "protocol": "p", "rows": "local:r:1"}
            for t in tasks
        },
        **more,
    }
    for name in ("cells", "averages"):
        if name in results:
            results[name] = [with_verdict(entry) for entry in results[name]]
    return results

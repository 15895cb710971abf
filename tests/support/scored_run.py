"""A run folder with hand-made scores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from lensbench.records import RunFolder

VARIANTS = {"base": "base", "lens": "d" * 64, "xsft": "e" * 64}


def write_run(
    path: Path, scores: dict[tuple[str, str], np.ndarray], *, named: tuple[str, ...] = ("xcopa",), declared: tuple[str, ...] = ()
) -> RunFolder:
    """A run with `scores[cell, variant]`, and with variants in `declared` that may have no score.

    Tasks in `named` name source items: the same number is the same item in all languages.
    """
    run = RunFolder(path)
    cells = list(dict.fromkeys(cell for cell, _ in scores))
    about = {
        "backbone": "b",
        "backbone_origin": {},
        "backbone_digest": "w" * 64,
        "dtype": "float32",
        "device": "cpu",
        "lensbench": "0",
        "variants": {
            name: {"digest": VARIANTS.get(name, name)} for name in dict.fromkeys([*declared, *(variant for _, variant in scores)])
        },
        "tasks": {
            cell: {
                "version": "1",
                "profile": "p",
                "protocol": f"h{cell}",
                "rows": f"local:{cell}:1",
                "title": cell.split("/")[0],
                "substitute": None,
                "origin": None,
            }
            for cell in cells
        },
        "gaps": [],
    }
    run.write_json("variants.json", about)
    with run.log("items") as items, run.log("score") as log:
        for cell in cells:
            task, language = cell.split("/")
            kind = {"task": task, "language": language, "profile": "p"}
            size = max(len(values) for (name, _), values in scores.items() if name == cell)
            items.append(
                {**kind, "key": f"{cell}/{i}", "doc_id": i, **({"source": f"{task}/test/{i}"} if task in named else {})}
                for i in range(size)
            )
            for (name, variant), values in scores.items():
                if name == cell:
                    log.append(record(kind, cell, variant, i, value) for i, value in enumerate(values))
    return run


def record(kind: dict[str, str], cell: str, variant: str, i: int, value: float) -> dict[str, Any]:
    known = not np.isnan(value)
    return {
        **kind,
        "key": f"{variant}{cell}{i}",
        "item": f"{cell}/{i}",
        "variant": variant,
        "state": "ok" if known else "not_finite",
        "metrics": {"acc": float(value)} if known else {},
        "loglikelihoods": [-1.0, -2.0],
    }

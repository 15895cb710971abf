"""Small originals to import, and ways to read what came of them."""

from __future__ import annotations

import json
from pathlib import Path

from lensbench.datasets.importing import ImportedFile, ImportReport, import_folder


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return path


def jsonl(*records: dict) -> str:
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


def read(path: Path) -> list[dict]:
    import pyarrow.parquet

    return pyarrow.parquet.read_table(path).to_pylist()


def entry(report: ImportReport, path: str) -> ImportedFile:
    (found,) = [file for file in report.files if file.path == path]
    return found


def rows_of(tmp_path: Path, path: str) -> list[dict]:
    """Import `tmp_path/in` into `tmp_path/out` and read one file."""
    import_folder(tmp_path / "in", tmp_path / "out")
    return read(tmp_path / "out" / path)


def xcopa_row(idx: int, question: str = "cause", label: int = 0, texts: tuple[str, str, str] = ("前提", "一", "二")) -> dict:
    row = dict(zip(("premise", "choice1", "choice2"), texts, strict=True))
    return row | {"question": question, "label": label, "idx": idx, "changed": False}


def mmlu_row(id: str, instruction: str, options: str, answer: str) -> dict:
    """The options are written as one string, apart by a bar."""
    named = dict(zip(("option_a", "option_b", "option_c", "option_d"), options.split("|"), strict=True))
    return {"id": id, "instruction": instruction, **named, "answer": answer}


COPA_XML = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE copa-corpus SYSTEM "copa.dtd">
<copa-corpus version="1.0">
  <item id="501" asks-for="cause" most-plausible-alternative="1"><p>It broke.</p><a1>It fell.</a1><a2>No.</a2></item>
  <item id="502" asks-for="effect" most-plausible-alternative="2"><p>It fell.</p><a1>No.</a1><a2>It broke.</a2></item>
</copa-corpus>
"""

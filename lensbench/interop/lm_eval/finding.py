"""Finding lm-eval's files: results by their content, and their samples by date."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

from lensbench.errors import LensbenchError
from lensbench.jsonio import read_json_file

__all__ = ["date_in", "is_ours_by_name", "results_files", "samples_file"]

_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d[-:]\d\d[-:]\d\d(?:\.\d+)?")
_PEEK = 2**16
_LONGEST_NAME = 200
_LARGEST = 2**26
"""Bytes of a JSON file of any name that is looked into."""


def date_in(name: str) -> str | None:
    """The date that lm-eval put into a file's name; the last one, since a name of the user's stands before it."""
    found = _DATE.findall(name)
    return str(found[-1]) if found else None


def is_ours_by_name(name: str) -> bool:
    """Whether a file in `lm_eval/VARIANT/` of a run has a name that lensbench writes there, or wrote there without a date."""
    return bool(re.fullmatch(rf"results(_{_DATE.pattern})?\.json|samples_.+\.jsonl", name))


def results_files(path: Path) -> list[Path]:
    """Results files at a path, the oldest first of each folder.

    `results*.json` as lm-eval names them; in a folder without any, every JSON file that holds results (`--output_path X.json`
    names them after X).
    """
    if path.is_file():
        return [path] if path.suffix == ".json" else []
    found = [file for pattern in ("results*.json", "*/results*.json") for file in path.glob(pattern)]
    # lensbench's own runs have a results.json of another make.
    found = [file for file in found if not (file.parent / "run.json").is_file()]
    if not found:
        found = [file for pattern in ("*.json", "*/*.json") for file in path.glob(pattern) if _holds_results(file)]
    return sorted(found, key=lambda file: (file.parent, date_in(file.name) or "", file.name))


def _holds_results(path: Path) -> bool:
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST or (path.parent / "run.json").is_file():
            return False
        with path.open("rb") as file:
            # lm-eval writes its results first.
            if b'"results"' not in file.read(_PEEK):
                return False
        content = read_json_file(path)
    except (OSError, LensbenchError):
        return False
    tables = content.get("results") if isinstance(content, dict) else None
    return isinstance(tables, dict) and any(isinstance(t, dict) and any("," in key for key in t) for t in tables.values())


def _can_be_in_a_file_name(name: str) -> bool:
    return not re.search(r"[/\x00\ud800-\udfff]", name) and len(name.encode("utf-8", "replace")) < _LONGEST_NAME


def samples_file(results: Path, task: str) -> tuple[Path | None, tuple[str, ...]]:
    """The samples of a task that were written with a results file, and the names of others that lie there.

    `..._DATE.json` goes with `samples_TASK_DATE.jsonl`, `results.json` with `samples_TASK.jsonl`, or with `ARGUMENTS_TASK.jsonl`
    as lm-eval named it before 0.4.3. A results file whose name lost its date goes with the only samples there are.
    """
    stem, date = results.stem, date_in(results.stem)
    # Later versions put `_` for what is no letter or digit.
    names = [name for name in dict.fromkeys((task, re.sub(r"\W", "_", task))) if _can_be_in_a_file_name(name)]
    endings = [f"_{date}"] if date else [f"_{stem.partition('_')[2]}", ""] if "_" in stem else [""]
    for name, ending in itertools.product(names, endings):
        path = results.with_name(f"samples_{name}{ending}.jsonl")
        if path.is_file():
            return path, ()
    if not names:
        return None, ()
    named = re.compile(rf"samples_(?:{'|'.join(map(re.escape, names))})(?:_{_DATE.pattern})?\.jsonl")
    files = sorted(file for file in results.parent.glob("samples_*.jsonl") if named.fullmatch(file.name))
    alone = len([file for file in results.parent.glob("*.json") if _holds_results(file)]) == 1
    if len(files) == 1 and date is None and alone:
        return files[0], ()
    if not files and date is None:
        old = [file for file in sorted(results.parent.glob("*.jsonl")) if file.name.endswith(f"_{task}.jsonl")]
        old = [file for file in old if not file.name.startswith("samples_")]
        if len(old) == 1 and alone:
            return old[0], ()
        files = old
    return None, tuple(file.name for file in files)

"""The shape of the package: what imports what, how long files are, and what `--help` may not load."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "lensbench"

ROOMS = {
    "cli": 6, "__main__": 6,
    "frames": 5,
    "pipeline": 4,
    "methods": 3, "engine": 3, "fidelity": 3, "judging": 3, "reporting": 3,
    "store": 2, "stats": 2, "tasks": 2, "data": 2, "backbones": 2,
    "memory": 1, "plugins": 1, "quiet": 1, "hub": 1, "spec": 1, "languages": 1, "content": 1, "yamlio": 1,
    "jsonio": 1, "reasoning": 1, "safenames": 1, "printable": 1, "states": 1, "yamlevents": 1,
    "sandbox": 1, "extras": 1, "errors": 0,
}  # fmt: skip
"""Room -> height. A room imports from rooms of its own height or lower."""


def room_of(module: str) -> str | None:
    parts = module.split(".")
    return parts[1] if parts[0] == "lensbench" and len(parts) > 1 else None


def imports_of(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def test_imports_point_one_way() -> None:
    wrong = []
    for path in PACKAGE.rglob("*.py"):
        own = room_of(".".join(("lensbench", *path.relative_to(PACKAGE).with_suffix("").parts)))
        if own is None or own == "__init__":
            continue
        assert own in ROOMS, f"{path}: room '{own}' has no height"
        for module in imports_of(path):
            theirs = room_of(module)
            if theirs and ROOMS[theirs] > ROOMS[own]:
                wrong.append(f"{path.relative_to(ROOT)} imports {module}")
    assert not wrong, "\n".join(wrong)


def test_no_file_is_too_long() -> None:
    lengths = {p: len(p.read_text(encoding="utf-8").splitlines()) for p in PACKAGE.rglob("*.py")}
    assert max(lengths.values()) <= 600
    assert sorted(lengths.values())[len(lengths) // 2] <= 160


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["ls", "tasks"], ["ls", "methods", "--json"]])
def test_light_commands_import_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys; sys.argv = ['lensbench', *ARGUMENTS]\n"
        "from lensbench.cli import main\n"
        "try: main()\nexcept SystemExit as e: assert not e.code, e.code\n"
        "heavy = {'torch', 'transformers', 'datasets', 'lm_eval', 'pyarrow', 'pandas', 'fasttext'} & set(sys.modules)\n"
        "sys.exit(f'imported {sorted(heavy)}' if heavy else 0)\n"
    ).replace("ARGUMENTS", repr(arguments))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_judging_needs_no_torch() -> None:
    code = (
        "import sys, lensbench.pipeline.judge, lensbench.pipeline.results, lensbench.pipeline.calibrate, lensbench.cli.judge\n"
        "heavy = {'torch', 'transformers', 'datasets', 'lm_eval'} & set(sys.modules)\n"
        "sys.exit(f'imported {sorted(heavy)}' if heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_nothing_is_unpickled_or_loaded_unsafely() -> None:
    pattern = re.compile(
        r"\b(pickle|dill|joblib|marshal|shelve)\b|torch\.load\(|yaml\.(full_|unsafe_)?load(_all)?\(|(?<![.\w])(eval|exec)\("
        r"|os\.system|shell ?= ?True|(trust_remote_code|allow_pickle) ?= ?True|weights_only ?= ?False"
    )
    found = [
        f"{p}: {line}"
        for p in PACKAGE.rglob("*.py")
        for line in p.read_text(encoding="utf-8").splitlines()
        if pattern.search(line)
    ]
    assert not found, "\n".join(found)

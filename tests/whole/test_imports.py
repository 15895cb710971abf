"""The shape of the package: what imports what, how long files are, and what `--help` may not load."""

from __future__ import annotations

import ast
import contextlib
import graphlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "lensbench"

HEIGHTS = [
    ["errors", "version"],
    [
        "cache",
        "content",
        "extras",
        "hashing",
        "hub",
        "jsonio",
        "languages",
        "memory",
        "plugins",
        "printable",
        "quiet",
        "reasoning",
        "safenames",
        "sandbox",
        "spec",
        "states",
        "yamlevents",
        "yamlio",
    ],
    ["backbones", "datasets", "records", "stats", "metrics"],
    ["papers", "tasks"],
    ["engines", "grading"],
    ["methods"],
    ["numbers", "plan"],
    ["reporting"],
    ["executors"],
    ["interop", "stages"],
    ["api", "frames"],
    ["cli", "__main__"],
]
"""Rooms from the ground up. A room imports from its own height or from below."""
ROOMS = {room: height for height, rooms in enumerate(HEIGHTS) for room in rooms}


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


def test_there_are_no_circles() -> None:
    """No module can be reached from itself by imports, those inside functions included."""
    modules = {_dotted(path): path for path in PACKAGE.rglob("*.py")}
    imports = {}
    for name, path in modules.items():
        found = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found |= {f"{node.module}.{a.name}" if f"{node.module}.{a.name}" in modules else node.module for a in node.names}
        imports[name] = (found & set(modules)) - {name}
    with contextlib.suppress(graphlib.CycleError):
        graphlib.TopologicalSorter(imports).prepare()
        return
    circles = [name for name in modules if _reaches(name, name, imports)]
    pytest.fail("modules on a circle of imports:\n" + "\n".join(sorted(circles)))


def _dotted(path: Path) -> str:
    parts = ["lensbench", *path.relative_to(PACKAGE).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _reaches(start: str, goal: str, imports: dict[str, set[str]]) -> bool:
    seen: set[str] = set()
    waiting = [*imports[start]]
    while waiting:
        name = waiting.pop()
        if name == goal:
            return True
        if name not in seen:
            seen.add(name)
            waiting += imports[name]
    return False


def test_every_room_says_what_it_is_for() -> None:
    for path in PACKAGE.rglob("__init__.py"):
        assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), path


def test_no_file_is_too_long() -> None:
    lengths = {p: len(p.read_text(encoding="utf-8").splitlines()) for p in PACKAGE.rglob("*.py")}
    assert max(lengths.values()) <= 400
    assert sorted(lengths.values())[len(lengths) // 2] <= 110


@pytest.mark.parametrize(
    "arguments", [["--help"], ["run", "--help"], ["ls", "tasks"], ["ls", "methods", "--json"], ["ls", "engines"]]
)
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
        "import sys, lensbench.stages.judge, lensbench.stages.results, lensbench.numbers.calibrate, lensbench.cli.judge\n"
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

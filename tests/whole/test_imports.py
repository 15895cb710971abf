"""The shape of the package: what imports what, how long files are, and what `--help` may not load."""

from __future__ import annotations

import ast
import contextlib
import graphlib
import os
import re
import resource
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
        "display",
        "eventloop",
        "extras",
        "hashing",
        "hub",
        "jsonio",
        "languages",
        "memory",
        "notebook",
        "plugins",
        "printable",
        "progress",
        "quiet",
        "reasoning",
        "safenames",
        "sandbox",
        "sizes",
        "spec",
        "states",
        "textblocks",
        "threads",
        "yamlevents",
        "yamlio",
    ],
    ["backbones", "datasets", "records", "stats", "metrics"],
    ["papers", "reuse", "tasks"],
    ["engines", "grading"],
    ["methods"],
    ["numbers", "plan"],
    ["reporting"],
    ["executors"],
    ["interop", "stages", "trackers"],
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


SMALL_FOR_CLI = {"display", "errors", "extras", "jsonio", "printable", "version"}
"""What the command line needs beside the API to speak to a terminal."""


def test_the_command_line_calls_the_api_and_nothing_deeper() -> None:
    deeper = [
        f"{path.relative_to(ROOT)} imports {module}"
        for path in (PACKAGE / "cli").rglob("*.py")
        for module in imports_of(path)
        if module.startswith("lensbench.") and room_of(module) not in {"api", "cli", *SMALL_FOR_CLI}
    ]
    assert not deeper, "\n".join(deeper)


def test_no_example_imports_deep() -> None:
    """What a user's code needs is a name of `lensbench` itself."""
    found = [
        f"{path.relative_to(ROOT)} imports {module}"
        for path in (ROOT / "examples").rglob("*.py")
        for module in imports_of(path)
        if module.startswith("lensbench.")
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("code", ["import lensbench", "import lensbench.api", "import lensbench as lb; lb.Run; lb.Lens"])
def test_importing_the_package_loads_nothing_heavy(code: str) -> None:
    heavy = "{'torch', 'transformers', 'datasets', 'lm_eval', 'pyarrow', 'pandas', 'numpy', 'matplotlib', 'IPython'}"
    check = f"import sys; {code}; sys.exit(str(sorted({heavy} & set(sys.modules))) if {heavy} & set(sys.modules) else 0)"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


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


@pytest.mark.parametrize("method", ["lens", "xsft", "xsft-full", "qalign", "sdrrl", "incline"])
def test_a_dry_run_imports_nothing_heavy_and_takes_a_second(method: str) -> None:
    """The plan, its memory, and what it reads from the hub, which is out of reach here. Seconds are those of the processor."""
    words = ["run", "-m", method, "--variant", f"{method}:seed=1", "-b", "smollm2-135m", "-l", "zh", "--dry-run"]
    code = (
        f"import sys; sys.argv = {['lensbench', *words]!r}\n"
        "from lensbench.cli import main\n"
        "try: main()\nexcept SystemExit as e: assert e.code in (0, 1), e.code\n"
        "heavy = {'torch', 'transformers', 'datasets', 'lm_eval', 'pandas', 'openai', 'safetensors'} & set(sys.modules)\n"
        "sys.exit(f'imported {sorted(heavy)}' if heavy else 0)\n"
    )
    seconds = []
    for _ in range(3 if method == "lens" else 1):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env={**os.environ, "HF_HUB_OFFLINE": "1"}
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert done.returncode == 0, done.stderr
        assert f"{method}[seed=1]" in done.stdout
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert method != "lens" or min(seconds) <= 1.2, seconds


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

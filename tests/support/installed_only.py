"""`lensbench ARGS` as if only the core and some of the extras were installed: every other package of this environment is hidden.

What an extra brings is read from pyproject.toml and from the metadata of what is installed, requirement by requirement, so a
package that comes with another one (tqdm, tokenizers, pandas with datasets) is there exactly where a real installation has it.
All commands of one environment are forked from one process that has imported nothing but the core's own requirements.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
import json
import os
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
CORE: tuple[str, ...] = ()
ENVIRONMENTS: dict[str, tuple[str, ...]] = {
    "core": CORE,
    "judge": ("judge",),
    "lid": ("lid",),
    "report": ("report",),
    "engines": ("engines",),
    "all": ("all",),
}


def project() -> dict[str, Any]:
    return dict(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"])


def distributions(extras: Iterable[str]) -> set[str]:
    """Names of the distributions that the core and these extras bring, as far as they are installed here."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    about = project()
    waiting = [Requirement(text) for text in about["dependencies"]]
    wanted = list(extras)
    while wanted:
        for requirement in map(Requirement, about["optional-dependencies"][wanted.pop()]):
            if canonicalize_name(requirement.name) == about["name"]:
                wanted += requirement.extras
            else:
                waiting.append(requirement)
    seen: set[tuple[str, str]] = set()
    names = {about["name"]}
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        for extra in ("", *requirement.extras):
            if (name, extra) in seen or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
                continue
            seen.add((name, extra))
            try:
                requires = importlib.metadata.requires(name) or []
            except importlib.metadata.PackageNotFoundError:
                continue
            names.add(name)
            for inner in map(Requirement, requires):
                # A marker that needs no extra holds for the extra "" already.
                if inner.marker is None or inner.marker.evaluate({"extra": extra}):
                    inner.marker = None
                    waiting.append(inner)
    return names


def hidden(extras: Iterable[str]) -> dict[str, list[str]]:
    """Distributions and top-level modules of this environment that such an installation has not."""
    from packaging.utils import canonicalize_name

    there = distributions(extras)
    owners = _owners()
    absent = sorted({canonicalize_name(d.metadata["Name"]) for d in importlib.metadata.distributions()} - there)
    return {
        "distributions": absent,
        "modules": sorted(m for m, names in owners.items() if not {*map(canonicalize_name, names)} & there),
    }


@functools.cache
def _owners() -> Mapping[str, list[str]]:
    """Top-level module -> the distributions that hold it."""
    return importlib.metadata.packages_distributions()


def run_with(
    extras: Iterable[str],
    commands: Sequence[Sequence[str | Path]],
    cwd: Path,
    env: Mapping[str, str] | None = None,
    timeout: float = 300,
) -> list[subprocess.CompletedProcess[str]]:
    """Run commands one after the other, each in a process of its own; `-c CODE` is Python. A signal ends one after a minute."""
    wanted = {**hidden(extras), "commands": [[*map(str, words)] for words in commands]}
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT), **(env or {})}
    environment.pop("LENSBENCH_DATA", None)
    done = subprocess.run(
        [sys.executable, __file__],
        input=json.dumps(wanted),
        capture_output=True,
        text=True,
        cwd=cwd,
        env=environment,
        timeout=timeout,
    )
    assert done.returncode == 0, done.stderr
    return [
        subprocess.CompletedProcess(["lensbench", *words], code, out, err)
        for words, (code, out, err) in zip(wanted["commands"], json.loads(done.stdout), strict=True)
    ]


class _Installed:
    """Finds what the interpreter's own finder finds, without what is hidden."""

    distributions: frozenset[str] = frozenset()
    modules: frozenset[str] = frozenset()

    @classmethod
    def find_spec(cls, name: str, path: Any = None, target: Any = None) -> Any:
        return None if name.partition(".")[0] in cls.modules else PathFinder.find_spec(name, path, target)

    @classmethod
    def find_distributions(cls, *args: Any, **kwargs: Any) -> Any:
        for found in PathFinder.find_distributions(*args, **kwargs):
            if (found.metadata["Name"] or "").lower().replace("_", "-").replace(".", "-") not in cls.distributions:
                yield found

    @classmethod
    def invalidate_caches(cls) -> None:
        PathFinder.invalidate_caches()


def main() -> None:
    asked = json.loads(sys.stdin.read())
    _Installed.distributions, _Installed.modules = frozenset(asked["distributions"]), frozenset(asked["modules"])
    sys.meta_path[:] = [_Installed if finder is PathFinder else finder for finder in sys.meta_path]
    gone = [name for name in sys.modules if name.partition(".")[0] in _Installed.modules]
    for name in gone:
        del sys.modules[name]
    for name in ("click", "pydantic", "rich.console", "rich.table", "rich.progress", "numpy", "yaml", "jinja2"):
        __import__(name)
    print(json.dumps([_forked(words) for words in asked["commands"]]))


def _forked(words: list[str]) -> tuple[int, str, str]:
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        pid = os.fork()
        if pid == 0:
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.dup2(out.fileno(), 1)
            os.dup2(err.fileno(), 2)
            code = 1
            try:
                _call(words)
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else int(end.code is not None)
            except BaseException:
                import traceback

                traceback.print_exc()
            with contextlib.suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)
        _, status = os.waitpid(pid, 0)
        for stream in (out, err):
            stream.seek(0)
        return os.waitstatus_to_exitcode(status), out.read().decode(), err.read().decode()


def _call(words: list[str]) -> None:
    import signal

    signal.alarm(60)
    if words[0] == "-c":
        exec(words[1], {})
        raise SystemExit(0)
    sys.argv = ["lensbench", *words]
    from lensbench.cli import main as lensbench

    lensbench()
    raise SystemExit(0)


if __name__ == "__main__":
    main()

"""Seeded mutations of a small finished run folder, each shown, tabled and reported in this process: no error but ours, nothing
written elsewhere."""

from __future__ import annotations

import io
import json
import os
import random
import shutil
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from simulated_run import simulate

from lensbench.errors import LensbenchError
from lensbench.stages.results import write_results

VALUES: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    2**70,
    1e308,
    float("nan"),
    "",
    "x",
    "\ud83d",
    "\x1b[31m\x07\x00\x9b\u202e",
    "../../../etc/x",
    [],
    ["x"],
    {},
    {"x": 1},
    [[[[]]]],
    "zz",
    "a" * 3000,
)
NAMES = (
    "run.json",
    "variants.json",
    "results.json",
    "provenance.json",
    "overlap.json",
    "counts.json",
    "results.check.json",
    "enhancements/lens/card.json",
    "items/items.jsonl",
    "items/score.jsonl",
    "items/answers.jsonl",
    "items/identified.jsonl",
    "items/verdicts.jsonl",
)


def small_run(path: Path) -> Path:
    folder = simulate(path, items=3, variants=("base", "lens"), languages=("en", "zh"), tasks=("xcopa", "mt_bench"))
    write_results(folder)
    for name in ("report.html", "report.md"):
        (path / name).unlink()
    return path


def mutate(run: Path, draw: random.Random) -> str:
    """Change one thing of a run folder; returns what."""
    name = draw.choice(NAMES)
    kind = draw.choice(list(_KINDS))
    _KINDS[kind](run / name, draw)
    if draw.random() < 0.5 and name != "results.json":
        # Else what is stored would serve, and nothing be read.
        _gone(run / "results.json")
    if draw.random() < 0.5:
        _gone(run / "results.check.json")
    return f"{kind} {name}"


def _gone(path: Path) -> None:
    if path.is_symlink() or path.is_file():
        path.unlink()


def _cut(path: Path, draw: random.Random) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: draw.randrange(len(content) + 1)])


def _flip(path: Path, draw: random.Random) -> None:
    content = bytearray(path.read_bytes())
    for _ in range(draw.randint(1, 8)):
        content[draw.randrange(len(content))] = draw.randrange(256)
    path.write_bytes(bytes(content))


def _remove(path: Path, draw: random.Random) -> None:
    path.unlink()


def _link(path: Path, draw: random.Random) -> None:
    path.unlink()
    path.symlink_to(draw.choice(["/etc/hostname", "/dev/zero", "nowhere", path.name, ".."]))


def _replace(path: Path, draw: random.Random) -> None:
    texts = [
        "",
        "null",
        "[]",
        "{}",
        "7",
        '"x"',
        "[" * 100_000,
        '{"a":' * 3000 + "1" + "}" * 3000,
        "\ufeff{}",
        "NaN",
        "1" * 5000,
        "\x00",
    ]
    path.write_text(draw.choice(texts) + "\n", encoding="utf-8")


def _folder(path: Path, draw: random.Random) -> None:
    path.unlink()
    path.mkdir()


def _value(path: Path, draw: random.Random) -> None:
    """One value of the JSON becomes another, or its key is lost."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.suffix == ".jsonl" else [path.read_text(encoding="utf-8")]
    number = draw.randrange(len(lines))
    content = json.loads(lines[number])
    for _ in range(draw.randint(1, 2)):
        places = list(_places(content))
        if not places:
            break
        holder, key = draw.choice(places)
        if draw.random() < 0.25:
            holder.pop(key)
        elif draw.random() < 0.2 and isinstance(holder, dict):
            holder[str(draw.choice(VALUES))] = holder.pop(key)
        else:
            holder[key] = draw.choice(VALUES)
    lines[number] = json.dumps(content)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", errors="surrogatepass")


def _places(value: Any) -> Any:
    if isinstance(value, dict):
        for key, part in value.items():
            yield value, key
            yield from _places(part)
    elif isinstance(value, list):
        for key, part in enumerate(value):
            yield value, key
            yield from _places(part)


_KINDS: dict[str, Callable[[Path, random.Random], None]] = {
    "cut": _cut,
    "flip": _flip,
    "remove": _remove,
    "link": _link,
    "replace": _replace,
    "folder": _folder,
    **{f"value{n}": _value for n in range(8)},
}


def views(run: Path, target: Path) -> list[list[str]]:
    return [
        ["show", str(run)],
        ["show", str(run), "--all", "--json"],
        ["table", "bilingual", str(run)],
        ["table", "cost", str(run)],
        ["table", "settings", str(run)],
        ["report", str(run), "--html", str(target / "r.html")],
        ["compare", str(run), str(run), "--variant", "base", "--with", "lens"],
    ]


def try_one(whole: Path, home: Path, seed: int, look: Callable[[Path, Path], list[list[str]]] = views) -> list[str]:
    """What went wrong with one mutation; nothing where every view ended in words."""
    from lensbench.cli import cli

    draw = random.Random(seed)
    run, target = home / "run", home / "out"
    shutil.rmtree(home, ignore_errors=True)
    target.mkdir(parents=True)
    shutil.copytree(whole, run)
    what = mutate(run, draw)
    before = _tree(home)
    found = []
    for arguments in look(run, target):
        out, err = _Terminal(), _Terminal()
        try:
            with redirect_stdout(out), redirect_stderr(err):
                cli.main(args=arguments, standalone_mode=False)
        except (LensbenchError, SystemExit):
            pass
        except BaseException as error:
            place = error.__traceback__
            while place is not None and place.tb_next is not None:
                place = place.tb_next
            where = f"{place.tb_frame.f_code.co_filename}:{place.tb_lineno}" if place is not None else ""
            found.append(f"seed {seed}: {what}: {' '.join(arguments[:2])}: {type(error).__name__}: {str(error)[:200]} at {where}")
        odd = sorted({c for c in out.getvalue() + err.getvalue() if c in "\x00\x07\x1b\x9b\u202e"})
        if odd:
            found.append(f"seed {seed}: {what}: {arguments[0]} prints {odd}")
    new = {path for path in _tree(home) - before if not path.startswith("out/")}
    if new:
        found.append(f"seed {seed}: {what}: wrote {new}")
    return found


class _Terminal(io.TextIOWrapper):
    """As strict about what it is given as a terminal's stream."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8", write_through=True)

    def getvalue(self) -> str:
        return bytes(self.buffer.getvalue()).decode("utf-8")  # type: ignore[attr-defined]


def _tree(home: Path) -> set[str]:
    return {str((Path(folder) / name).relative_to(home)) for folder, _, names in os.walk(home) for name in names}

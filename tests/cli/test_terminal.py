"""Names of a stranger's run reach the terminal as text."""

from __future__ import annotations

import ast
import json
import re
import shutil
from pathlib import Path

import pytest
from conftest import Here
from simulated_run import simulate

import lensbench
from lensbench.cli.render import print_table
from lensbench.cli.terminal import echo, echo_json
from lensbench.stages.results import write_results

HOSTILE = "a\x1b[31m\x07\x00\x9b\u202eb\ud83d"


def test_nothing_is_obeyed(capsys: pytest.CaptureFixture[str]) -> None:
    echo(HOSTILE)
    print_table((HOSTILE,), [[HOSTILE]], title="x")
    echo_json({HOSTILE: HOSTILE})
    said = capsys.readouterr().out
    assert not any(c in said for c in "\x1b\x07\x00\x9b\u202e\ud83d") and said.count("\\x1b") >= 3
    assert json.loads(said[said.index("{") :]) == {HOSTILE: HOSTILE}


def test_headers_and_titles_are_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    """rich reads `[...]` of a plain string as a style, and raises where it closes none."""
    print_table(("[/x]", "[red]y"), [["[/x]", "[red]z"]], title="[/x]")
    said = capsys.readouterr().out
    assert said.count("[/x]") == 3 and "[red]y" in said and "[red]z" in said


SAID_AS_IT_IS = {
    "quiet.py": "`printable`, below the command line",
    "interop/lm_eval/__main__.py": "`printable`, in front of lm-eval's own command line",
    "records/document.py": "texts of the package itself",
    "executors/launch.py": "the number of a rank, and its own traceback",
}


def test_everything_is_printed_by_one_function() -> None:
    """No call that writes to the terminal has anything but a constant, outside `terminal.py`."""
    package = Path(lensbench.__file__).parent
    found = []
    for path in sorted(package.rglob("*.py")):
        name = str(path.relative_to(package))
        if name == "cli/terminal.py" or name in SAID_AS_IT_IS:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and _writes(node.func) and not all(isinstance(a, ast.Constant) for a in node.args):
                found.append(f"{name}:{node.lineno}")
    assert not found, f"use echo of lensbench/cli/terminal.py: {', '.join(found)}"


def _writes(called: ast.expr) -> bool:
    if isinstance(called, ast.Name):
        return called.id == "print"
    if not isinstance(called, ast.Attribute):
        return False
    holder = ast.unparse(called.value)
    return (holder == "click" and called.attr in ("echo", "secho", "echo_via_pager", "confirm", "prompt")) or (
        holder in ("sys.stdout", "sys.stderr", "sys.stdout.buffer") and called.attr in ("write", "writelines")
    )


FOREIGN = "a\x1b]0;owned\x07\x9b31m\u202eb"
VIEWS = (
    ("show",),
    ("show", "--all"),
    ("show", "--json"),
    ("compare", "RUN", "--variant", "base", "--with", "VARIANT"),
    ("calibrate",),
    ("calibrate", "--json"),
    ("table", "bilingual"),
    ("table", "bilingual", "--format", "latex"),
    ("table", "bilingual", "--format", "csv", "--published"),
    ("table", "cost"),
    ("table", "settings"),
    ("results", "--parquet"),
    ("figure", "understanding", "--out", "OUT/f.svg"),
    ("figure", "generation", "--out", "OUT/g.svg"),
    ("report", "--html", "OUT/r.html"),
    ("judge", "--judge", "gpt-4o", "--estimate"),
    ("fidelity", "-i", "lid176"),
    ("merge", "--to", "OUT/m"),
    ("project", "--variant", "VARIANT"),
)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("plain") / "run"
    run = simulate(home, items=4, variants=("base", "lens"), languages=("en", "zh"), tasks=("xcopa", "mt_bench"))
    write_results(run)
    return home


@pytest.mark.parametrize("kind", ["variant", "names"])
def test_a_strangers_run_cannot_speak_to_the_terminal(kind: str, plain: Path, here: Here, tmp_path: Path) -> None:
    run, variant = tmp_path / "run", "lens"
    shutil.copytree(plain, run)
    # `lm_eval/`, pages and digests are made anew.
    for name in ("lm_eval", "report.md", "report.html", "results.json", "results.check.json", "counts.json"):
        shutil.rmtree(run / name) if (run / name).is_dir() else (run / name).unlink()
    category = next(json.loads(x)["doc"]["category"] for x in (run / "items/items.jsonl").open() if '"category"' in x)
    old = ("lens",) if kind == "variant" else ("xcopa", category, "MT-Bench")
    if kind == "variant":
        variant = FOREIGN
    for path in sorted(run.rglob("*.json*")):
        text = path.read_text(encoding="utf-8")
        for word in old:
            text = re.sub(rf'"{re.escape(word)}(?=["/])', lambda _: json.dumps(FOREIGN)[:-1], text)
        path.write_text(text, encoding="utf-8")
    assert "\\u001b" in "".join(path.read_text(encoding="utf-8") for path in run.rglob("*.json*"))
    (tmp_path / "out").mkdir()
    shown = 0
    for view in VIEWS:
        words = [{"RUN": str(run), "VARIANT": variant}.get(w, w.replace("OUT", str(tmp_path / "out"))) for w in view[1:]]
        place = 1 if view[0] == "table" or view[0] == "figure" else 0
        code, said = here(view[0], *words[:place], run, *words[place:])
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", said), (view, said)
        assert "Traceback" not in said and code in (0, 1, 2), (view, said)
        shown += "\\x1b" in said or "\\u001b" in said
    assert shown >= 2, "nothing of it was shown, so nothing was tested"

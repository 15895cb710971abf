"""`lensbench run` with a sweep and from a file, with a tiny model from fit to results."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lensbench.content import shipped_files

SETTINGS = ("n_probe=8", "n_parallel=16", "warmup_ratio=0", "learning_rate=0.01")
NAMES = [f"lens[start_layer={layer},seed={seed}]" for layer in (2, 3) for seed in (0, 1)]


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def run(cli: Callable[..., Any], tiny_model_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two settings x two seeds, from a file; one option of the command line wins over it."""
    home = tmp_path_factory.mktemp("file")
    (home / "mine.yaml").write_text(
        f"""\
backbone: {tiny_model_dir}
methods: [lens]
languages: [zh]
tasks: [xcopa, multiq]
data: embedded
limit: 9
max_new_tokens: 4
config: {{lens: {{{", ".join(setting.replace("=", ": ") for setting in SETTINGS)}}}}}
sweep: {{lens.start_layer: [2, 3]}}
seeds: [0, 1]
"""
    )
    done = cli("run", home / "mine.yaml", "--limit", "3", "--out", home / "run")
    assert done.returncode == 0, done.stderr
    return home / "run"


def test_settings_and_seeds_go_through_to_the_results(run: Path) -> None:
    folders = [f"lens-start_layer-{layer}-seed-{seed}" for layer in (2, 3) for seed in (0, 1)]
    cards = {folder: read(run / "enhancements" / folder / "card.json") for folder in folders}
    assert [(card["config"]["start_layer"], card["config"]["seed"]) for card in cards.values()] == [
        (2, 0),
        (2, 1),
        (3, 0),
        (3, 1),
    ]
    assert len({card["digest"] for card in cards.values()}) == 4
    results = read(run / "results.json")
    assert list(results["variants"]) == ["base", *NAMES] and not results["missing"]
    cells = [cell for cell in results["cells"] if cell["metric"] == "acc"]
    assert len(cells) == 2 * 5 and {cell["n"] for cell in cells} == {3}, "the option won over the file's limit"


def test_a_run_is_repeated_from_the_file_that_it_wrote(cli: Callable[..., Any], run: Path, tmp_path: Path) -> None:
    before = {name: (run / "items" / name).read_bytes() for name in ("score.jsonl", "answers.jsonl")}
    spec, written = read(run / "run.json"), (run / "run.yaml").read_text(encoding="utf-8")
    # Elsewhere, and without a word about the folder.
    done = cli("run", run / "run.yaml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"continuing the run in {run}" in done.stderr and not list(tmp_path.iterdir())
    assert {name: (run / "items" / name).read_bytes() for name in before} == before and read(run / "run.json") == spec
    assert (run / "run.yaml").read_text(encoding="utf-8") == written
    done = cli("run", run / "run.yaml", "--limit", "4", cwd=tmp_path)
    assert done.returncode == 2 and "limit: 3 there, 4 here" in done.stderr


def test_without_its_folder_it_has_the_folder_of_the_same_command(cli: Callable[..., Any], run: Path, tmp_path: Path) -> None:
    (tmp_path / "copy.yaml").write_bytes((run / "run.yaml").read_bytes())
    planned = [
        json.loads(cli("run", *words, "--dry-run", "--json", cwd=tmp_path).stdout)
        for words in (("copy.yaml",), ("copy.yaml", "--limit", "3"), ("copy.yaml", "--limit", "4"))
    ]
    assert planned[0]["out"] == planned[1]["out"] != planned[2]["out"] and planned[0]["spec"] == read(run / "run.json")["spec"]


def test_settings_of_the_command_line_are_added_to_those_of_the_file(cli: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("backbone: smollm2-135m\nmethods: [lens]\ndata: embedded\noverrides: [rank=1, epochs=2]\n")
    done = cli("run", "a.yaml", "--set", "epochs=5", "-t", "multiq", "--dry-run", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    config = json.loads(done.stdout)["spec"]["methods"][0]["config"]
    assert (config["rank"], config["epochs"]) == (1, 5)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "Missing option '-b' / '--backbone'"),
        (("none.yaml",), "none.yaml"),
        (("layer-smollm2",), "Did you mean 'layers-smollm2'?"),
        (("-b", "smollm2-135m", "--sweep", "lens.strat_layer=1,2"), "Did you mean --sweep lens.start_layer?"),
        (("-b", "smollm2-135m", "--sweep", "lens.rank="), "--sweep lens.rank has no values, so the grid has no variants"),
        (("-b", "smollm2-135m", "-m", "lens", "--seeds", "0,x"), "--seeds takes whole numbers"),
        (("-b", "smollm2-135m", "-m", "lens", "--seeds", "0,0"), "--seeds: the seed 0 is given twice"),
        (("-b", "smollm2-135m", "-m", "lens", "--seeds", ","), "--seeds names no seed"),
        (("layers-smollm2", "--seeds", ",".join(map(str, range(20)))), "Give --yes to confirm"),
    ],
)
def test_mistakes(cli: Callable[..., Any], words: tuple[str, ...], says: str) -> None:
    done = cli("run", *words, "--data", "embedded")
    assert done.returncode == 2 and says in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(("reply", "code"), [(b"n\n", 2), (b"y\n", 0)])
def test_on_a_terminal_it_asks(reply: bytes, code: int) -> None:
    ours, theirs = pty.openpty()
    words = ["run", "layers-smollm2", "-t", "multiq", "--seeds", ",".join(map(str, range(20))), "--dry-run"]
    process = subprocess.Popen(
        [sys.executable, "-m", "lensbench", *words],
        stdin=theirs,
        stderr=theirs,
        stdout=subprocess.PIPE,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
    )
    os.close(theirs)
    os.write(ours, reply)
    stdout, _ = process.communicate(timeout=120)
    assert process.returncode == code and (b"180 variants to fit" in stdout) == (code == 0)
    assert b"The sweep makes 180 variants, and each is fitted and evaluated. Go on?" in os.read(ours, 4096)
    os.close(ours)


FITS = {"layers-smollm2": 9, "ablation-smollm2": 13, "rank-smollm2": 6}


@pytest.mark.parametrize("name", sorted(shipped_files("experiments")))
def test_experiments_that_ship_can_be_planned(cli: Callable[..., Any], name: str) -> None:
    root = Path(__file__).parents[2]
    done = cli("run", f"experiments/{name}.yaml", "--dry-run", cwd=root)
    assert done.returncode == 0, done.stderr
    assert f"{FITS[name]} variants to fit" in done.stdout and f"work      {FITS[name]} fits; " in done.stdout


def test_a_dry_run_lists_the_variants(cli: Callable[..., Any]) -> None:
    words = ("-b", "smollm2-135m", "--data", "embedded", "-t", "multiq", "--limit", "3", "--dry-run")
    done = cli("run", "--sweep", "lens.start_layer=26,27", "--seeds", "0,1", *words)
    assert done.returncode == 0, done.stderr
    expected = """\
work      4 fits; 6 items x 5 variants with base = 30 to score or answer

4 variants to fit
variant                      method  start_layer  seed
──────────────────────────────────────────────────────
lens[start_layer=26,seed=0]  lens    26           0
lens[start_layer=26,seed=1]  lens    26           1
lens[start_layer=27,seed=0]  lens    27           0
lens[start_layer=27,seed=1]  lens    27           1
"""
    assert expected in done.stdout
    assert "configuration of lens, the same for its 4 variants:\n  preset: default\n  rank: None\n" in done.stdout

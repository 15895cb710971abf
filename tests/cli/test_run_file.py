"""`lensbench run` with a sweep and from a file, with a tiny model from fit to results."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import lensbench as lb
from lensbench.content import shipped_files
from lensbench.yamlio import leading_comment

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


FITS = {
    "ablation": 13,
    "ablation-smollm2": 13,
    "bilingual": 15,
    "bilingual-smollm2": 6,
    "code-switch": 2,
    "code-switch-smollm2": 1,
    "items": 12,
    "items-smollm2": 5,
    "layers": 12,
    "layers-smollm2": 9,
    "multilingual": 15,
    "multilingual-smollm2": 2,
    "rank": 6,
    "rank-smollm2": 6,
}
WITH_FOLDER = {"ablation", "bilingual", "layers"}
"""Those that need rows which are not on the hub."""


@pytest.mark.parametrize("name", sorted(shipped_files("experiments")))
def test_experiments_that_ship_can_be_planned(name: str, tmp_path: Path) -> None:
    choices = lb.read_run_file(name)
    if name in WITH_FOLDER:
        with pytest.raises(lb.UsageError, match="mt_bench in 'zh': the hub has no rows"):
            _planned(choices)
        choices["data"] = _folder_with_mt_bench(tmp_path / "data")
    plan = _planned(choices).as_dict()
    groups = list(plan["groups"].values()) if "groups" in plan else [plan]
    assert sum(group["fits"] for group in groups) == FITS[name]
    on_hub = choices.get("data") is None
    assert all((count is None) == on_hub for group in groups for count in group["items"])
    if name == "bilingual":
        tasks = {(task["task"], task["language"]) for group in groups for task in group["spec"]["tasks"]}
        assert len(groups) == 3 and {("mt_bench", "en"), ("mt_bench", "zh")} <= tasks and len({task for task, _ in tasks}) == 5
        lens = [group["spec"]["methods"][0]["config"] for group in groups]
        # Table 2 of the paper: start layer, and push strength for Chinese.
        assert [one["start_layer"] for one in lens] == [31, 30, 27]
        assert [one["push_strength"] for one in lens] == [{"zh": 1.0}, {"zh": 0.05}, {"zh": 0.3}]


def _planned(choices: dict[str, Any]) -> Any:
    return (lb.plan_backbones if isinstance(choices["backbone"], list) else lb.plan_run)(**choices)


def _folder_with_mt_bench(path: Path) -> Path:
    """The embedded rows and two questions of MT-Bench's form."""
    shutil.copytree(Path(lb.__file__).parent / "datasets" / "mini", path)
    for code in ("en", "zh"):
        folder = path / "mt_bench" / code
        folder.mkdir(parents=True)
        rows = [{"question_id": n, "category": "writing", "turns": ["one", "two"], "reference": []} for n in (81, 82)]
        (folder / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize("name", sorted(shipped_files("experiments")))
def test_experiments_begin_with_what_they_are_and_cost(name: str) -> None:
    head = leading_comment(shipped_files("experiments")[name])
    choices = lb.read_run_file(name)
    backbones = len(choices["backbone"]) if isinstance(choices["backbone"], list) else 1
    price = head.partition("Price: ")[2].partition(".")[0]
    assert f" = {FITS[name] + backbones} variants" in price
    assert "Differs from" in head


def test_they_are_listed_with_one_line_each(cli: Callable[..., Any]) -> None:
    listed = json.loads(cli("ls", "experiments", "--json").stdout)
    assert {entry["name"] for entry in listed} == set(FITS) and all(entry["title"] for entry in listed)
    assert {entry["name"]: entry["backbones"] for entry in listed}["bilingual"] == ["llama3-8b", "llama3.1-8b", "phi3.5-mini"]


def test_code_switched_questions_follow_their_rule() -> None:
    mini = Path(lb.__file__).parent / "datasets" / "mini"

    def rows(name: str, code: str) -> list[Any]:
        return [json.loads(line) for line in (mini / name / code / "test.jsonl").read_text(encoding="utf-8").splitlines()]

    english = {row["question_id"]: row["turns"][0] for row in rows("open_questions", "en")}
    for code in ("zh", "ja", "ko", "ar", "bn", "sw"):
        wanted = [(row["question_id"], english[row["question_id"]], row["turns"][1]) for row in rows("open_questions", code)]
        assert [(row["question_id"], row["english"], row["target"]) for row in rows("code_switched", code)] == wanted


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

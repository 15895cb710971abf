"""Runs of a tiny model that choose a setting, from the command to every view."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Here
from small_rows import write_small_data, write_validation

import lensbench as lb

SETTINGS = ("n_probe=8", "n_parallel=16", "warmup_ratio=0", "learning_rate=0.01")
NAMES = ["lens[start_layer=2]", "lens[start_layer=3]", "lens[start_layer=4]"]


def command(model: Path, data: Path | str, *more: str | Path) -> list[str | Path]:
    settings = [word for value in SETTINGS for word in ("--set", value)]
    asked = ["-l", "zh", "--data", data, "-t", "xcopa,multiq", "--max-new-tokens", "4", "--english-margin", "60"]
    return ["run", "-b", model, "--sweep", "lens.start_layer=2,3,4", *settings, *asked, *more]


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def lines(run: Path, stage: str) -> list[dict]:
    return [json.loads(line) for line in (run / "items" / f"{stage}.jsonl").read_text(encoding="utf-8").splitlines()]


def side(item: dict) -> str:
    name = f"source {item['source']}" if item.get("source") else f"item {item['task']} {item['doc_id']}"
    digest = hashlib.sha256(f"lensbench development items 1\n{name}".encode()).digest()
    return "development" if int.from_bytes(digest[:8], "big") / 2**64 < 0.3 else "test"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_data(tmp_path_factory.mktemp("data") / "data", items=30, questions=12)


@pytest.fixture(scope="module")
def run(cli: Callable[..., Any], tiny_model_dir: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("pick") / "run"
    done = cli(*command(tiny_model_dir, data, "--pick", "--out", out))
    assert done.returncode == 0, done.stderr
    assert "How was the setting chosen?" in done.stdout and "Settings that could be chosen" in done.stdout
    return out


def test_the_winner_has_the_highest_mean_of_the_development_items(run: Path) -> None:
    pick = read(run / "results.json")["pick"]
    assert pick["rule"] == "share=0.3,endpoint=accuracy" and pick["before_results"] is True
    sides = {item["key"]: side(item) for item in lines(run, "items")}
    right = {(one["item"], one["variant"]): one["metrics"]["acc"] for one in lines(run, "score")}
    asked = [item for item in lines(run, "items") if item["task"] == "xcopa" and item["language"] == "zh"]
    gains = {}
    for name in NAMES:
        own = [right[i["key"], name] - right[i["key"], "base"] for i in asked if sides[i["key"]] == "development"]
        gains[name] = sum(own) / len(own)
    told = {one["setting"]: one["development"]["delta"] for one in pick["candidates"]}
    assert told == pytest.approx(gains)
    (method,) = pick["methods"]
    assert method["setting"] == next(name for name in NAMES if gains[name] == max(gains.values()))
    counts = {(one["task"], one["language"]): (one["development"], one["test"]) for one in pick["counts"]}
    own = [sides[item["key"]] for item in asked]
    assert counts["xcopa", "zh"] == (own.count("development"), own.count("test")) == counts["xcopa", "en"]


def test_everything_else_is_of_test_items(run: Path) -> None:
    results = read(run / "results.json")
    sides = {item["key"]: side(item) for item in lines(run, "items")}
    tests = [item for item in lines(run, "items") if sides[item["key"]] == "test"]
    for cell in results["cells"]:
        own = [item for item in tests if (item["task"], item["language"]) == (cell["task"], cell["language"])]
        assert cell["n"] == cell["planned"] == len(own)
        assert "|items:test:share=0.3,endpoint=accuracy:1|" in cell["signature"]
    turns = sum(item["task"] == "multiq" for item in tests)
    assert sum(one["answers"] for one in results["degenerate"]) == turns * (1 + len(NAMES))
    samples = list((run / "lm_eval" / "base").glob("samples_xcopa_zh_*.jsonl"))
    asked = [item for item in tests if item["task"] == "xcopa" and item["language"] == "zh"]
    assert sum(len(path.read_text(encoding="utf-8").splitlines()) for path in samples) == len(asked)
    # Nothing is missing: the development items were asked, and are told apart from items that were not.
    assert results["missing"] == [] and lb.load(run).finished
    assert len(lb.load(run).items) == len(lines(run, "score")) + len(lines(run, "answers"))
    assert set(lb.load(run).items["side"]) == {"development", "test"}


def test_every_view_says_who_chose(run: Path, here: Here, tmp_path: Path) -> None:
    chosen = read(run / "results.json")["pick"]["methods"][0]["setting"]
    others = [name for name in NAMES if name != chosen]
    report = (run / "report.md").read_text(encoding="utf-8")
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "How was the setting chosen?" in report and "How the setting was chosen" in page and "optimism of the choice" in page
    assert all(f"{name} (not chosen)" in page for name in others) and f"{chosen} (not chosen)" not in page
    code, shown = here("show", run)
    assert code == 0 and f"{chosen}: chosen among 3 settings on the development items" in " ".join(shown.split())
    assert "Few items chose" in shown
    code, said = here("figure", "pick", run, "--out", tmp_path / "pick.svg")
    assert code == 0 and f"Chosen: {chosen}" in said and (tmp_path / "pick.svg").stat().st_size > 5000
    code, table = here("table", "bilingual", run)
    table = table.replace("\\", "")
    assert code == 0 and chosen in table and not any(name in table for name in others)
    assert "Settings were chosen on" in table and "development items (share=0.3,endpoint=accuracy)" in table


def test_the_same_command_goes_on_and_the_run_file_repeats_it(
    cli: Callable[..., Any], run: Path, tiny_model_dir: Path, data: Path
) -> None:
    before = {path: path.read_bytes() for path in (run / "items").iterdir()}
    for words in (command(tiny_model_dir, data, "--pick", "--out", run), ["run", run / "run.yaml"]):
        done = cli(*words)
        assert done.returncode == 0, done.stderr
    assert {path: path.read_bytes() for path in (run / "items").iterdir()} == before
    pick = read(run / "results.json")["pick"]
    assert pick["before_results"] is True and pick["rule"] == "share=0.3,endpoint=accuracy"


def test_few_items_are_refused_before_anything_is_fitted(here: Here, tiny_model_dir: Path, data: Path, tmp_path: Path) -> None:
    """Which of five rows choose is known from their names: none at a share of 1%."""
    out = tmp_path / "run"
    code, said = here(*command(tiny_model_dir, data, "--pick", "share=0.01", "--limit", "5", "--out", out))
    assert code == 2 and "--pick share=0.01,endpoint=accuracy: no development items in xcopa/en (5 source items)" in said
    assert "Ask more items (--limit), or a larger share." in said
    assert not (out / "enhancements").exists() and not (out / "items" / "score.jsonl").exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--pick", "share=1"), "--pick share=1: a number between 0 and 1 was expected"),
        (("--pick", "endpoint=fidelity"), "unknown endpoint 'fidelity'"),
        (("--pick", "mine.yaml"), "A FILE to run stands before --pick"),
        (("--pick", "validation"), "no task of this run has a validation split"),
    ],
)
def test_wrong_rules_are_refused_with_the_flag(here: Here, tiny_model_dir: Path, data: Path, words: tuple, says: str) -> None:
    code, said = here(*command(tiny_model_dir, data, *words, "--dry-run"))
    assert code == 2 and says in said and "Traceback" not in said


def test_a_run_chooses_on_its_validation_split(cli: Callable[..., Any], tiny_model_dir: Path, tmp_path: Path) -> None:
    rows = write_validation(tmp_path / "data", ("en", "zh"), rows=15)
    out = tmp_path / "run"
    done = cli(*command(tiny_model_dir, rows, "--pick", "validation", "--out", out))
    assert done.returncode == 0, done.stderr
    results = read(out / "results.json")
    counts = {
        (one["task"], one["language"]): (one["development"], one["test"], one["split"]) for one in results["pick"]["counts"]
    }
    assert counts["xcopa", "zh"] == counts["xcopa", "en"] == (15, 9, "validation")
    assert {cell["n"] for cell in results["cells"] if cell["task"] == "xcopa"} == {9}
    items = [item for item in lines(out, "items") if item["task"] == "xcopa"]
    assert len({item["key"] for item in items}) == len(items) == 48
    assert [item.get("split") for item in items if item["language"] == "zh"] == [None] * 9 + ["validation"] * 15
    assert all(item["doc"]["premise"].startswith("validation") == (item.get("split") is not None) for item in items)
    assert len([one for one in lines(out, "score") if one["variant"] == "base"]) == 48
    assert "15" in done.stdout and "the validation split" in " ".join(done.stdout.split())


def test_a_run_that_is_there_takes_a_rule_later(here: Here, cli: Callable[..., Any], run: Path) -> None:
    code, said = here("results", run, "--pick", "share=0.5")
    assert code == 0 and "set after the run had results" in " ".join(said.split())
    code, said = here("results", run, "--pick", "off")
    assert code == 0 and "How was the setting chosen?" not in said
    assert {cell["n"] for cell in read(run / "results.json")["cells"] if cell["task"] == "xcopa"} == {30}

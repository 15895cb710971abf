"""Other checkpoints beside the backbone: scored as they are alone, paired with it by question."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import save_tiny_model

TASKS = ("-l", "zh", "--data", "embedded", "-t", "xcopa,multiq", "--limit", "3", "--max-new-tokens", "6")


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another model, whose chat template words a question otherwise."""
    folder = save_tiny_model(tmp_path_factory.mktemp("models") / "other", layers=3, hidden=48, seed=7)
    template = (
        "{% for m in messages %}({{ m.role }}) {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}(assistant) {% endif %}"
    )
    (folder / "chat_template.jinja").write_text(template)
    return folder


@pytest.fixture(scope="module")
def run(cli: Callable[..., Any], tiny_model_dir: Path, other: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("externals") / "run"
    done = cli("run", "-b", tiny_model_dir, "--variant", f"theirs={other}", *TASKS, "--out", out)
    assert done.returncode == 0, done.stderr
    return out


def records(run: Path, stage: str, variant: str) -> dict[int, dict[str, Any]]:
    """Row number in the embedded set, by the item's own record -> record."""
    items = {r["key"]: r for r in map(json.loads, (run / "items" / "items.jsonl").open())}
    found = [json.loads(line) for line in (run / "items" / f"{stage}.jsonl").open()]
    return {(items[r["item"]]["language"], items[r["item"]]["doc_id"]): r for r in found if r["variant"] == variant}


def test_it_scores_and_answers_as_a_run_of_its_own(cli: Callable[..., Any], run: Path, other: Path, tmp_path: Path) -> None:
    alone = cli("run", "-b", other, *TASKS, "--out", tmp_path / "alone")
    assert alone.returncode == 0, alone.stderr
    for stage, value in (("score", "loglikelihoods"), ("answers", "text")):
        beside = records(run, stage, "theirs")
        by_itself = records(tmp_path / "alone", stage, "base")
        assert len(beside) == 6
        assert {place: r[value] for place, r in beside.items()} == {place: r[value] for place, r in by_itself.items()}
        assert {place: r[value] for place, r in beside.items()} != {
            place: r[value] for place, r in records(run, stage, "base").items()
        }


def test_it_is_paired_with_the_backbone_and_named(run: Path) -> None:
    results = json.loads((run / "results.json").read_text())
    cells = [c for c in results["cells"] if c["variant"] == "theirs" and c["task"] == "xcopa" and c["metric"] == "acc"]
    assert [c["n"] for c in cells] == [3, 3] and all(c["delta"] is not None for c in cells)
    base = {c["language"]: c for c in results["cells"] if c["variant"] == "base" and c["metric"] == "acc"}
    for cell in cells:
        assert cell["delta"] == pytest.approx(cell["value"] - base[cell["language"]]["value"])
    assert results["variants"]["theirs"]["external"]["kind"] == "local" and results["variants"]["theirs"]["method"] is None
    assert "theirs is another checkpoint" in (run / "report.md").read_text()


def test_variants_that_are_the_same_are_both_there(
    cli: Callable[..., Any], tiny_model_dir: Path, other: Path, tmp_path: Path
) -> None:
    """Equal weights give equal answers, but each variant has its own."""
    out = tmp_path / "run"
    done = cli("run", "-b", tiny_model_dir, "--variant", f"one={other}", "--variant", f"two={other}", *TASKS, "--out", out)
    assert done.returncode == 0, done.stderr
    for stage, value in (("score", "loglikelihoods"), ("answers", "text")):
        one, two = records(out, stage, "one"), records(out, stage, "two")
        assert len(one) == 6 and {p: r[value] for p, r in one.items()} == {p: r[value] for p, r in two.items()}
    cells = [(c["variant"], c["n"]) for c in json.loads((out / "results.json").read_text())["cells"] if c["metric"] == "acc"]
    assert cells.count(("one", 3)) == cells.count(("two", 3)) == 2


def test_a_second_start_asks_nothing_again(cli: Callable[..., Any], run: Path, tiny_model_dir: Path, other: Path) -> None:
    before = {stage: (run / "items" / f"{stage}.jsonl").read_bytes() for stage in ("items", "score", "answers", "identified")}
    done = cli("run", "-b", tiny_model_dir, "--variant", f"theirs={other}", *TASKS, "--out", run)
    assert done.returncode == 0, done.stderr
    assert {stage: (run / "items" / f"{stage}.jsonl").read_bytes() for stage in before} == before


def test_other_weights_under_the_name_are_refused(cli: Callable[..., Any], tiny_model_dir: Path, tmp_path: Path) -> None:
    folder = save_tiny_model(tmp_path / "model", seed=1)
    command = (
        "run",
        "-b",
        tiny_model_dir,
        "--variant",
        f"m={folder}",
        "-l",
        "zh",
        "--data",
        "embedded",
        "-t",
        "xcopa",
        "--limit",
        "1",
    )
    assert cli(*command, "--out", tmp_path / "run").returncode == 0
    (folder / "model.safetensors").unlink()
    save_tiny_model(folder, seed=2)
    done = cli(*command, "--out", tmp_path / "run")
    assert done.returncode == 1 and "started with other weights of variant m" in done.stderr


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["base=HERE"], "the run already has a variant 'base'"),
        (["a=HERE", "a=HERE"], "the run already has a variant 'a'"),
        (["a b=HERE"], "'a b' cannot name a variant"),
        (["chinese-llama3-8b-v4"], "Did you mean 'chinese-llama3-8b-v3'?"),
        (["a=./nowhere"], "no model folder at nowhere"),
    ],
)
def test_names(cli: Callable[..., Any], tiny_model_dir: Path, given: list[str], said: str) -> None:
    options = [part for text in given for part in ("--variant", text.replace("HERE", str(tiny_model_dir)))]
    done = cli("run", "-b", tiny_model_dir, *options, "-t", "xcopa", "--data", "embedded", "--dry-run")
    assert done.returncode == 2 and said in done.stderr, done.stderr


def test_the_papers_checkpoints_have_names(cli: Callable[..., Any]) -> None:
    names = [f"chinese-llama3-8b-v{n}" for n in (1, 2, 3)]
    options = [part for name in names for part in ("--variant", name)]
    done = cli("run", "-b", "llama3-8b", *options, "-t", "xcopa", "--data", "embedded", "--dry-run", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["spec"]["externals"] == [{"variant": name, "backbone": name} for name in names]

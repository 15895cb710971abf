"""Several backbones in one folder: planned, run with tiny models, one of which fails, shown together, and gone on with."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

import lensbench as lb
from lensbench.errors import RunError

CHOICES: dict[str, Any] = {"languages": ["zh"], "tasks": ["xcopa"], "data": "embedded", "limit": 3}


@pytest.fixture(scope="module")
def models(tiny_model_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two that work, and one whose tokenizer cannot be read, which a plan does not look at."""
    home = tmp_path_factory.mktemp("models")
    found = {name: home / name for name in ("first", "second", "broken")}
    for path in found.values():
        shutil.copytree(tiny_model_dir, path)
    (found["broken"] / "tokenizer.json").write_text("{")
    # Other weights, since tables take equal ones for one model.
    weights = load_file(found["second"] / "model.safetensors")
    save_file({name: tensor * 1.5 for name, tensor in weights.items()}, found["second"] / "model.safetensors", {"format": "pt"})
    return found


@pytest.fixture(scope="module")
def done(models: dict[str, Path], cli: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """The command with all three; the second in order fails."""
    out = tmp_path_factory.mktemp("experiment") / "out"
    words = [word for name in ("first", "broken", "second") for word in ("-b", str(models[name]))]
    return out, cli("run", *words, "-l", "zh", "-t", "xcopa", "--data", "embedded", "--limit", "3", "--out", str(out))


def test_one_that_fails_is_named_and_the_others_finish(done: tuple[Path, Any], models: dict[str, Path]) -> None:
    out, told = done
    assert told.returncode == 1 and "Traceback" not in told.stderr
    assert f"backbone '{models['broken']}' failed" in told.stderr
    assert [group["folder"] for group in json.loads((out / "experiment.json").read_text())["groups"]] == [
        "first",
        "broken",
        "second",
    ]
    for name in ("first", "second"):
        run = lb.load(out / name)
        assert run.finished and run.results["cells"] and (out / name / "run.yaml").is_file()


def test_each_group_has_the_numbers_of_a_run_by_itself(done: tuple[Path, Any], models: dict[str, Path], tmp_path: Path) -> None:
    alone = lb.evaluate(models["second"], out=tmp_path / "alone", progress=lb.SilentProgress(), **CHOICES)
    together = lb.load(done[0] / "second")

    def numbers(run: lb.Run) -> list[Any]:
        return [(c["task"], c["language"], c["variant"], c["metric"], c["value"], c["n"]) for c in run.results["cells"]]

    assert numbers(alone) == numbers(together) and numbers(alone)
    assert alone.spec == together.spec


def test_views_of_the_folder_are_those_of_its_groups(done: tuple[Path, Any], cli: Callable[..., Any]) -> None:
    out, _ = done
    words = ("table", "bilingual", "--format", "csv")
    together, named = cli(*words, str(out)), cli(*words, str(out / "first"), str(out / "second"))
    assert together.returncode == named.returncode == 0, together.stderr
    lines, more = named.stdout.splitlines(), together.stdout.splitlines()
    assert lines and set(lines) <= set(more) and "A first" in named.stdout and "B second" in named.stdout
    assert "broken" in together.stderr and "has no numbers yet" in together.stderr
    shown = cli("show", str(out))
    assert shown.returncode == 0 and shown.stdout.count("Only base was evaluated") == 2 and "has no numbers yet" in shown.stderr
    assert (out / "report.html").is_file()
    assert cli("report", str(out)).returncode == 0
    refused = cli("results", str(out), "--parquet")
    assert (refused.returncode == 2 and f"Name one of them: {out / 'broken'}" in refused.stderr) or str(
        out / "first"
    ) in refused.stderr
    refused = cli("compare", str(out), str(out / "first"))
    assert refused.returncode == 2 and "holds the runs of 2 backbones" in refused.stderr


def test_it_goes_on_from_its_file_and_asks_nothing_twice(
    done: tuple[Path, Any], models: dict[str, Path], cli: Callable[..., Any], tmp_path: Path
) -> None:
    out, _ = done
    before = {name: (out / name / "items" / "score.jsonl").read_bytes() for name in ("first", "second")}
    shutil.copy(models["first"] / "tokenizer.json", models["broken"] / "tokenizer.json")
    told = cli("run", str(out / "run.yaml"), cwd=tmp_path)
    assert told.returncode == 0, told.stderr
    assert {name: (out / name / "items" / "score.jsonl").read_bytes() for name in before} == before
    experiment = lb.Experiment(out)
    assert list(experiment.runs) == [str(models[name]) for name in ("first", "broken", "second")] and not experiment.warnings()
    assert not list(tmp_path.iterdir())


def test_a_plan_has_every_group_and_their_sums(models: dict[str, Path]) -> None:
    both = [models["first"], models["second"]]
    plan = lb.plan_backbones(both, methods=["lens"], seeds=[0, 1], **CHOICES)
    singles = [lb.plan_run(path, methods=["lens"], seeds=[0, 1], **CHOICES) for path in both]
    content = plan.as_dict()
    assert [content["groups"][name]["spec"] for name in ("first", "second")] == [one.as_dict()["spec"] for one in singles]
    # Two variants and base, two backbones; three items in English and three in Chinese.
    assert content["totals"] == {"variants": 6, "fits": 4, "items": 12, "scored_or_answered": 36, "bytes": 0, "max_usd": None}
    again = lb.plan_backbones(both, methods=["lens"], seeds=[0, 1], **CHOICES)
    assert again.out == plan.out != lb.plan_backbones(both, methods=["lens"], **CHOICES).out
    assert plan.runs["first"].out == plan.out / "first"


def test_the_limit_for_judging_is_of_all_together(models: dict[str, Path]) -> None:
    plan = lb.plan_backbones([models["first"], models["second"]], max_usd=5, **CHOICES)
    assert any("5 USD at most, 2.50 for each" in str(block) for block in plan.view().blocks)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["smollm2-135m", "smollm2-135m"], "'smollm2-135m' is named twice"),
        (
            ["smollm2-135m", "HuggingFaceTB/SmolLM2-135M-Instruct"],
            "'smollm2-135m' and 'HuggingFaceTB/SmolLM2-135M-Instruct' are the same checkpoint",
        ),
        (["smollm2-135m", "lama3-8b"], "backbone 'lama3-8b': unknown backbone 'lama3-8b'\n  Did you mean 'llama3-8b'?"),
        ([], "names no backbone"),
        ("smollm2-135m", "must be a list"),
    ],
)
def test_mistakes(given: Any, says: str) -> None:
    for call in (lb.plan_backbones, lb.evaluate_backbones):
        with pytest.raises(lb.UsageError) as caught:
            call(given, **CHOICES)
        assert says in str(caught.value)


def test_a_folder_is_refused_by_another_link_to_the_same_model(models: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(models["first"])
    with pytest.raises(lb.UsageError, match="are the same checkpoint"):
        lb.plan_backbones([models["first"], tmp_path / "link"], **CHOICES)


def test_one_backbone_calls_name_the_others(models: dict[str, Path]) -> None:
    with pytest.raises(lb.UsageError, match="must be one backbone here, found 2\n  Several: evaluate_backbones"):
        lb.evaluate([models["first"], models["second"]], **CHOICES)  # type: ignore[arg-type]
    with pytest.raises(lb.UsageError, match="unknown argument 'limt'"):
        lb.evaluate_backbones([models["first"], models["second"]], limt=3)
    with pytest.raises(lb.UsageError, match="commit of one backbone"):
        lb.plan_backbones([models["first"], models["second"]], revision="abc", **CHOICES)


def test_a_folder_with_something_else_is_refused(models: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    both = [models["first"], models["second"]]
    with pytest.raises(lb.UsageError, match="is not empty and holds no experiment"):
        lb.evaluate_backbones(both, out=tmp_path, **CHOICES)
    with pytest.raises(lb.UsageError, match="no experiment at"):
        lb.evaluate_backbones(both, out=tmp_path / "none", resume=True, **CHOICES)


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"groups": 1}', '{"groups": [{"folder": "../x", "backbone": "b"}]}', '{"groups": [{"folder": "x"}]}']
)
def test_a_damaged_file_of_a_stranger_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "experiment.json").write_text(content)
    with pytest.raises(RunError, match=r"experiment\.json"):
        lb.Experiment(tmp_path)

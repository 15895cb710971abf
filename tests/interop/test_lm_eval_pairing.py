"""Results of lm-eval that were asked unlike are never one item; real evaluations, whose task differs in one setting at a time."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import save_tiny_model

from lensbench.errors import DataError, UsageError
from lensbench.interop.lm_eval.as_runs import as_runs
from lensbench.interop.lm_eval.import_run import Imported, import_lm_eval
from lensbench.interop.lm_eval.reading import read_lm_eval
from lensbench.numbers.compare import compare
from lensbench.records import ItemRecord, RunFolder, ScoreRecord
from lensbench.reporting.open_runs import name_runs

ROWS = 6
FIRST = {"function": "take_first"}
Evaluate = Callable[..., Path]


def digits(pattern: str) -> list[dict[str, Any]]:
    return [{"name": "read", "filter": [{"function": "regex", "regex_pattern": pattern}, FIRST]}]


def tasks_of(home: Path) -> dict[str, dict[str, Any]]:
    own = {"dataset_path": "json", "dataset_kwargs": {"data_files": {"test": str(home / "rows.jsonl")}}, "test_split": "test"}
    pick = {
        "output_type": "multiple_choice",
        "doc_to_text": "{{question}}",
        "doc_to_choice": ["odd", "even"],
        "doc_to_target": "label",
        "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
        "metadata": {"version": 1.0, "language": "zh"},
    }
    say = {
        "output_type": "generate_until",
        "doc_to_text": "{{question}}",
        "doc_to_target": "{{answer}}",
        "generation_kwargs": {"max_gen_toks": 4, "do_sample": False, "until": ["\n"]},
        "filter_list": digits("(.)"),
        "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
        "metadata": {"version": 1.0, "language": "en"},
    }
    return {"pick_zh": {**own, **pick}, "say_en": {**own, **say}}


@pytest.fixture(scope="module")
def evaluate(tmp_path_factory: pytest.TempPathFactory) -> Evaluate:
    """Evaluated and written as lm-eval's own command does it; a task's settings replaced by those given."""
    import lm_eval
    from lm_eval.loggers import EvaluationTracker
    from lm_eval.tasks import TaskManager

    home = tmp_path_factory.mktemp("pairing")
    rows = [{"question": f"{i} + {i + 1} =", "answer": str(2 * i + 1), "label": i % 2} for i in range(ROWS)]
    (home / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    models = {name: save_tiny_model(home / name, seed=seed) for seed, name in enumerate(("tiny-a", "tiny-b"))}
    made: dict[str, Path] = {}

    def run(model: str, task: str, **changes: Any) -> Path:
        key = json.dumps([model, task, changes])
        if key not in made:
            out = home / f"out{len(made)}"
            (out / "tasks").mkdir(parents=True)
            content = {"task": task, **tasks_of(home)[task], **changes}
            (out / "tasks" / "task.yaml").write_text(yaml.safe_dump(content))
            tracker = EvaluationTracker(output_path=str(out / "results"))
            found: dict[str, Any] = lm_eval.simple_evaluate(
                "hf",
                model_args=f"pretrained={models[model]},dtype=float32",
                device="cpu",
                tasks=[task],
                batch_size=8,
                evaluation_tracker=tracker,
                log_samples=True,
                task_manager=TaskManager(include_path=str(out / "tasks"), include_defaults=False),
            )
            samples = found.pop("samples")
            tracker.save_results_aggregated(results=found, samples=samples)
            tracker.save_results_samples(task_name=task, samples=samples[task])
            (made[key],) = (out / "results").iterdir()
        return made[key]

    return run


def cells_of(found: Imported) -> dict[tuple[str, str], dict[str, Any]]:
    return {(c["task"], c["variant"]): c for c in found.folder.read_json("results.json")["cells"]}


def change_results(folder: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    (path,) = folder.glob("results_*.json")
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


CHANGES = [
    ("pick_zh", {"doc_to_choice": ["uneven", "even"]}, "doc_to_choice"),
    ("pick_zh", {"target_delimiter": "\n"}, "target_delimiter"),
    ("pick_zh", {"metadata": {"version": 2.0, "language": "zh"}}, 'version "2.0", not "1.0"'),
    ("say_en", {"generation_kwargs": {"max_gen_toks": 2, "do_sample": False, "until": ["\n"]}}, "generation_kwargs"),
    ("say_en", {"filter_list": digits("([0-9])")}, "filter_list"),
]


@pytest.mark.parametrize(("task", "changes", "told"), CHANGES, ids=["options", "delimiter", "version", "generation", "filter"])
def test_what_was_asked_unlike_is_never_one_item(
    evaluate: Evaluate, tmp_path: Path, task: str, changes: dict[str, Any], told: str
) -> None:
    a, b = evaluate("tiny-a", task), evaluate("tiny-b", task, **changes)
    # The hashes of lm-eval do not tell them apart.
    written = [[json.loads(line) for path in home.glob("samples_*") for line in path.open()] for home in (a, b)]
    hashes = [[(r["doc_id"], r["doc_hash"], r["prompt_hash"], r["target_hash"]) for r in rows] for rows in written]
    assert hashes[0] == hashes[1] and len(hashes[0]) == ROWS
    found = import_lm_eval([(None, a), ("b", b)], tmp_path / "run")
    name = task.partition("_")[0]
    cells = cells_of(found)
    assert set(cells) == {(name, "base"), (f"{name}@b", "b")}
    assert cells[f"{name}@b", "b"]["delta"] is None and cells[f"{name}@b", "b"]["p_value"] is None
    (note,) = found.notes
    assert note.startswith(f"the difference of b on {name}/") and told in note and f"it stands apart as {name}@b" in note
    # Each model's items show the requests it was given.
    items = {r.key: r for r in found.folder.records(ItemRecord)}
    assert len(items) == 2 * ROWS
    for variant, rows in (("base", written[0]), ("b", written[1])):
        scored = [items[r.item] for r in found.folder.records(ScoreRecord) if r.variant == variant]
        assert {r.task for r in scored} == {name if variant == "base" else f"{name}@b"}
        if task == "pick_zh":
            theirs = {r["doc_id"]: [[a["arg_0"], a["arg_1"]] for a in r["arguments"].values()] for r in rows}
            assert {r.doc_id: r.requests for r in scored} == theirs
    about = found.folder.read_json("variants.json")["tasks"]
    assert len({entry["protocol"] for entry in about.values()}) == 2
    # Nor are two runs of one model each compared on it.
    runs = [import_lm_eval([(None, home)], tmp_path / home.parent.parent.name).folder for home in (a, b)]
    compared = compare(*runs)
    assert not compared.cells and "asked in unlike ways" in compared.gaps[0].reason


def test_the_same_task_is_paired(evaluate: Evaluate, tmp_path: Path) -> None:
    found = import_lm_eval([(None, evaluate("tiny-a", "pick_zh")), ("b", evaluate("tiny-b", "pick_zh"))], tmp_path / "run")
    assert found.notes == [] and found.items == ROWS and cells_of(found)["pick", "b"]["delta"] is not None


def test_models_beside_a_base_without_the_task_are_kept_apart_too(evaluate: Evaluate, tmp_path: Path) -> None:
    other = evaluate("tiny-b", "pick_zh", target_delimiter="\n")
    sources = [(None, evaluate("tiny-a", "say_en")), ("a", evaluate("tiny-a", "pick_zh")), ("b", other)]
    found = import_lm_eval(sources, tmp_path / "run")
    assert set(cells_of(found)) == {("say", "base"), ("pick", "a"), ("pick@b", "b")}
    assert any("b beside a on pick/zh: other settings (target_delimiter)" in note for note in found.notes)


def test_without_samples_settings_still_keep_numbers_apart(evaluate: Evaluate, tmp_path: Path) -> None:
    shutil.copytree(evaluate("tiny-b", "pick_zh", metadata={"version": 2.0, "language": "zh"}), tmp_path / "bare")
    for path in (tmp_path / "bare").glob("samples_*"):
        path.unlink()
    found = import_lm_eval([(None, evaluate("tiny-a", "pick_zh")), ("b", tmp_path / "bare")], tmp_path / "run")
    cells = cells_of(found)
    assert set(cells) == {("pick", "base"), ("pick@b", "b")} and "|v2.0|" in cells["pick@b", "b"]["signature"]


def test_where_a_function_lay_in_memory_is_no_difference(evaluate: Evaluate, tmp_path: Path) -> None:
    homes = [tmp_path / name for name in "ab"]
    for number, home in enumerate(homes):
        shutil.copytree(evaluate(f"tiny-{home.name}", "pick_zh"), home)
        text = f"functools.partial(<function ask at 0x7f{number}c0ffee>, cot=False)"
        change_results(home, lambda content, text=text: content["configs"]["pick_zh"].update(doc_to_text=text))
    found = import_lm_eval([(None, homes[0]), ("b", homes[1])], tmp_path / "run")
    assert found.notes == [] and cells_of(found)["pick", "b"]["delta"] is not None


def test_revisions_of_one_model_have_digests_of_their_own(evaluate: Evaluate, tmp_path: Path) -> None:
    homes = [tmp_path / name for name in ("early", "late", "again")]
    for home, sha in zip(homes, ("1" * 40, "2" * 40, "2" * 40), strict=True):
        shutil.copytree(evaluate("tiny-a", "pick_zh"), home)
        change_results(home, lambda content, sha=sha: content["config"].update(model_sha=sha))
    abouts = [import_lm_eval([(None, home)], tmp_path / f"run-{home.name}").folder.read_json("variants.json") for home in homes]
    assert abouts[0]["backbone"] == abouts[1]["backbone"]
    digests = [about["backbone_origin"]["digest"] for about in abouts]
    assert digests[0] != digests[1] == digests[2] and [about["backbone_digest"] for about in abouts] == digests
    assert abouts[0]["backbone_origin"]["sha"] == "1" * 40 and abouts[0]["backbone_origin"]["dtype"] == "torch.float32"
    # lm-eval writes evaluations of all revisions into one folder.
    for path in homes[1].iterdir():
        shutil.copy(path, homes[0] / path.name.replace("_20", "_30"))
    with pytest.raises(UsageError, match=r"different weights of .*model_sha 1{40} and 2{40}"):
        import_lm_eval([(None, homes[0])], tmp_path / "mixed")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda c: c["results"].update(pick_zh=[0.5]), r"'results' of task pick_zh must be a table .* \[0.5\]"),
        (lambda c: c["configs"].update(pick_zh="none"), "'configs' of task pick_zh must be a table"),
        (lambda c: c["n-samples"].update(pick_zh=6), "'n-samples' of task pick_zh must be a table"),
        (lambda c: c["n-samples"]["pick_zh"].update(effective="six"), "'n-samples' of task pick_zh is no whole number"),
        (lambda c: c["n-shot"].update(pick_zh="few"), "'n-shot' of task pick_zh is no whole number but \"few\""),
        (lambda c: c.update(config=["hf"]), r"'config' must be a table of names and values, found \[\"hf\"\]"),
    ],
)
def test_values_of_another_kind_are_named(evaluate: Evaluate, tmp_path: Path, change: Callable[..., None], told: str) -> None:
    shutil.copytree(evaluate("tiny-a", "pick_zh"), tmp_path / "home")
    path = change_results(tmp_path / "home", change)
    with pytest.raises(DataError, match=told) as caught:
        read_lm_eval(tmp_path / "home")
    assert str(path) in caught.value.message


def test_an_unknown_number_of_examples_is_unknown_and_not_none_given(evaluate: Evaluate, tmp_path: Path) -> None:
    shutil.copytree(evaluate("tiny-b", "pick_zh"), tmp_path / "home")
    change_results(tmp_path / "home", lambda content: content["n-shot"].update(pick_zh="n/a"))
    (model,) = read_lm_eval(tmp_path / "home")
    assert model.tasks["pick_zh"].num_fewshot is None
    found = import_lm_eval([(None, evaluate("tiny-a", "pick_zh")), ("b", tmp_path / "home")], tmp_path / "run")
    assert any("num_fewshot null, not 0" in note for note in found.notes)


def test_a_run_is_called_as_the_folder_wherever_it_lies(
    evaluate: Evaluate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LENSBENCH_CACHE", str(tmp_path / "cache"))
    here = Path(shutil.copytree(evaluate("tiny-a", "pick_zh"), tmp_path / "one" / "mine"))
    (first,) = as_runs([here])
    assert name_runs([first, tmp_path / "other"]) == ["A mine", "B other"]
    for path in here.iterdir():
        os.utime(path, (1, 1))
    there = tmp_path / "two" / "mine"
    there.parent.mkdir()
    here.rename(there)
    assert as_runs([there]) == [first] and (first / "results.json").is_file()
    change_results(there, lambda content: content["config"].update(model_sha="1" * 40))
    (changed,) = as_runs([there])
    assert changed != first and changed.name == "mine"
    assert RunFolder.existing(changed).read_json("variants.json")["backbone_origin"]["sha"] == "1" * 40


def test_tasks_of_unknown_language_are_no_targets(evaluate: Evaluate, tmp_path: Path) -> None:
    """One task in two languages, and once under a name that tells none."""
    (tmp_path / "all").mkdir()
    for number, name in enumerate(("pick_zh", "pick_sw", "pick")):
        for path in evaluate("tiny-a", "pick_zh").iterdir():
            text = path.read_text(encoding="utf-8").replace('"pick_zh"', f'"{name}"')
            code = name.partition("_")[2]
            text = text.replace('"language": "zh"', f'"language": "{code}"' if code else '"about": "none"')
            date = f"_2{number}"  # each evaluation at a time of its own
            (tmp_path / "all" / path.name.replace("pick_zh", name).replace("_20", date)).write_text(text, encoding="utf-8")
    found = import_lm_eval([(None, tmp_path / "all")], tmp_path / "run")
    assert {c["language"] for c in found.folder.read_json("results.json")["cells"]} == {"zh", "sw", "und"}
    (over,) = [a for a in found.folder.read_json("results.json")["averages"] if a["over"] == "languages"]
    assert sorted(over["cells"]) == ["pick/sw", "pick/zh"]

"""What lm-eval evaluated and wrote is read as a run: the same items, the same numbers, and what does not match is told."""

from __future__ import annotations

import copy
import json
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
from lensbench.records import ItemRecord, ScoreRecord
from lensbench.tasks import TaskRegistry, resolve
from lensbench.tasks.export import export_task
from lensbench.tasks.lm_eval_names import named_task

MINI = Path(__file__).parents[2] / "lensbench" / "datasets" / "mini"
CLOSED = {"lensbench_xcopa_zh": ("xcopa", "zh"), "lensbench_m_mmlu_en": ("m_mmlu", "en"), "lensbench_m_mmlu_sw": ("m_mmlu", "sw")}
LIMIT = 8


class Evaluated:
    """Tiny models under lm-eval's evaluator.

    Attributes:
        memory: Model -> what `simple_evaluate` returned, before anything was written.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self.memory: dict[str, Any] = {}

    def folder(self, model: str) -> Path:
        return next(path for path in (self.home / "out").iterdir() if path.name.endswith(model))

    def values(self, model: str, task: str, metric: str = "acc", kept: str = "none") -> dict[int, float]:
        return {s["doc_id"]: s[metric] for s in self.memory[model]["samples"][task] if s["filter"] == kept}

    def number(self, model: str, task: str, key: str = "acc,none") -> float:
        return self.memory[model]["results"][task][key]


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Evaluated:
    """Evaluated and written as lm-eval's own command does it, with --log_samples."""
    import lm_eval
    from lm_eval.loggers import EvaluationTracker
    from lm_eval.tasks import TaskManager

    made = Evaluated(tmp_path_factory.mktemp("lm_eval"))
    registry = TaskRegistry()
    for task, language in CLOSED.values():
        export_task(
            resolve(registry.find(task, "lens-paper"), language, registry.profile("lens-paper")), made.home / "tasks", MINI
        )
    write_sums(made.home)
    for seed, name in enumerate(("tiny-a", "tiny-b")):
        tracker = EvaluationTracker(output_path=str(made.home / "out"))
        found: dict[str, Any] = lm_eval.simple_evaluate(
            "hf",
            model_args=f"pretrained={save_tiny_model(made.home / name, seed=seed)},dtype=float32",
            device="cpu",
            tasks=[*CLOSED, "sums_en"],
            batch_size=8,
            limit=LIMIT,
            evaluation_tracker=tracker,
            log_samples=True,
            task_manager=TaskManager(include_path=str(made.home / "tasks"), include_defaults=False),
        )
        made.memory[name] = copy.deepcopy(found)
        samples = found.pop("samples")
        tracker.save_results_aggregated(results=found, samples=samples)
        for task in found["configs"]:
            tracker.save_results_samples(task_name=task, samples=samples[task])
    return made


def write_sums(home: Path) -> None:
    """A task whose answers are generated and read by two filters."""
    rows = [{"question": f"{i} + {i + 1} =", "answer": str(2 * i + 1)} for i in range(LIMIT)]
    (home / "sums.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = {"function": "take_first"}
    task = {
        "task": "sums_en",
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(home / "sums.jsonl")}},
        "test_split": "test",
        "output_type": "generate_until",
        "doc_to_text": "{{question}}",
        "doc_to_target": "{{answer}}",
        "generation_kwargs": {"max_gen_toks": 4, "do_sample": False, "until": ["\n"]},
        "filter_list": [
            {"name": "strict", "filter": [{"function": "regex", "regex_pattern": "The answer is ([0-9]+)"}, found]},
            {"name": "any", "filter": [{"function": "regex", "regex_pattern": "(.)"}, found]},
        ],
        "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
        "metadata": {"version": 1.0, "language": "en"},
    }
    (home / "tasks" / "sums_en.yaml").write_text(yaml.safe_dump(task))


@pytest.fixture(scope="module")
def both(evaluated: Evaluated, tmp_path_factory: pytest.TempPathFactory) -> Imported:
    sources = [(None, evaluated.folder("tiny-a")), ("b", evaluated.folder("tiny-b"))]
    return import_lm_eval(sources, tmp_path_factory.mktemp("imported") / "run")


@pytest.fixture
def doctored(evaluated: Evaluated, tmp_path: Path) -> Callable[..., Path]:
    """A copy of model b's files whose samples of a task, or results, were changed."""

    def change(task: str = "", lines: Callable[[list[dict[str, Any]]], list[Any]] | None = None, results: Any = None) -> Path:
        home = tmp_path / "doctored"
        shutil.copytree(evaluated.folder("tiny-b"), home)
        if lines is not None:
            (path,) = home.glob(f"samples_{task}_*.jsonl")
            written = lines([json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()])
            path.write_text("".join(json.dumps(line) + "\n" for line in written), encoding="utf-8")
        if results is not None:
            (path,) = home.glob("results_*.json")
            content = json.loads(path.read_text(encoding="utf-8"))
            results(content)
            path.write_text(json.dumps(content), encoding="utf-8")
        return home

    return change


def cells_of(found: Imported) -> dict[tuple[str, str, str, str], dict[str, Any]]:
    results = found.folder.read_json("results.json")
    return {(c["task"], c["language"], c["variant"], c["metric"]): c for c in results["cells"]}


def test_every_item_and_every_mean_is_lm_evals(both: Imported, evaluated: Evaluated) -> None:
    cells = cells_of(both)
    items = {r.key: r for r in both.folder.records(ItemRecord)}
    scores = list(both.folder.records(ScoreRecord))
    for name, (task, language) in CLOSED.items():
        for variant, model in (("base", "tiny-a"), ("b", "tiny-b")):
            theirs = evaluated.values(model, name)
            ours = {
                items[r.item].doc_id: r.metrics["acc"]
                for r in scores
                if (r.task, r.language, r.variant) == (task, language, variant)
            }
            assert ours == theirs and len(ours) == LIMIT
            cell = cells[task, language, variant, "acc"]
            assert cell["value"] == pytest.approx(evaluated.number(model, name), abs=1e-12)
            assert (cell["n"], cell["planned"], cell["failures"], cell["profile"]) == (LIMIT, LIMIT, 0, "lm-eval")
    # Both models answered something rightly and something wrongly, or equality would say little.
    assert {v for m in evaluated.memory for name in CLOSED for v in evaluated.values(m, name).values()} == {0.0, 1.0}


def test_log_likelihoods_prompts_and_gold_are_lm_evals(both: Imported, evaluated: Evaluated) -> None:
    items = {(r.task, r.language, r.doc_id): r for r in both.folder.records(ItemRecord)}
    scores = {(r.item, r.variant): r for r in both.folder.records(ScoreRecord)}
    for name, (task, language) in CLOSED.items():
        for sample in evaluated.memory["tiny-b"]["samples"][name]:
            item = items[task, language, sample["doc_id"]]
            assert [tuple(request) for request in item.requests] == [tuple(arguments) for arguments in sample["arguments"]]
            assert item.doc == sample["doc"] and item.gold == str(sample["target"])
            record = scores[item.key, "b"]
            assert record.loglikelihoods == pytest.approx([float(ll) for ll, _ in sample["filtered_resps"]], abs=1e-9)
            assert record.greedy == [greedy in (True, "True") for _, greedy in sample["filtered_resps"]]
            assert (record.pick == int(item.gold)) == (record.metrics["acc"] == 1.0)


def test_models_are_paired_item_by_item(both: Imported, evaluated: Evaluated) -> None:
    cells = cells_of(both)
    for name, (task, language) in CLOSED.items():
        a, b = evaluated.values("tiny-a", name), evaluated.values("tiny-b", name)
        assert cells[task, language, "b", "acc"]["delta"] == pytest.approx(sum(b[i] - a[i] for i in a) / len(a))
        assert cells[task, language, "base", "acc"]["delta"] is None
    assert both.notes == [] and both.items == LIMIT * 4
    assert {name: model.rpartition("/")[2] for name, model in both.variants.items()} == {"base": "tiny-a", "b": "tiny-b"}


def test_generated_answers_keep_their_filters_apart(both: Imported, evaluated: Evaluated) -> None:
    cells = cells_of(both)
    for kept in ("strict", "any"):
        cell = cells["sums", "en", "b", f"exact_match:{kept}"]
        assert cell["value"] == pytest.approx(evaluated.number("tiny-b", "sums_en", f"exact_match,{kept}"))
        # What one filter finds nothing in is no failure of the other: lm-eval counts it as wrong, and it is a state of its own.
        left = [s["filtered_resps"][0] for s in evaluated.memory["tiny-b"]["samples"]["sums_en"] if s["filter"] == kept]
        invalid = left.count("[invalid]")
        expected = {"no_match": invalid, "generated": LIMIT - invalid}
        assert cell["states"] == {state: n for state, n in expected.items() if n} and cell["failures"] == 0
        # A random model never says "The answer is".
        assert kept == "any" or invalid == LIMIT
    samples = [s for s in evaluated.memory["tiny-b"]["samples"]["sums_en"] if s["filter"] == "any"]
    texts = [r.texts["any"] for r in both.folder.records(ScoreRecord) if (r.task, r.variant) == ("sums", "b")]
    assert texts == [s["filtered_resps"][0] for s in sorted(samples, key=lambda s: s["doc_id"])]


def test_other_prompts_stand_apart_and_are_told(evaluated: Evaluated, doctored: Any, tmp_path: Path) -> None:
    other = doctored(
        "lensbench_xcopa_zh", lambda lines: [{**line, "prompt_hash": "0" + line["prompt_hash"][1:] + "x"} for line in lines]
    )
    found = import_lm_eval([(None, evaluated.folder("tiny-a")), ("b", other)], tmp_path / "run")
    cells = cells_of(found)
    assert ("xcopa", "zh", "b", "acc") not in cells and cells["xcopa@b", "zh", "b", "acc"]["delta"] is None
    assert cells["xcopa@b", "zh", "b", "acc"]["value"] == pytest.approx(evaluated.number("tiny-b", "lensbench_xcopa_zh"))
    assert cells["m_mmlu", "sw", "b", "acc"]["delta"] is not None
    (note,) = found.notes
    assert "the difference of b on xcopa/zh: other prompts or targets (8 documents in common)" in note
    assert found.folder.read_json("results.json")["gaps"] == [note]


def test_a_part_that_matches_is_compared_and_the_rest_told(evaluated: Evaluated, doctored: Any, tmp_path: Path) -> None:
    fewer = doctored("lensbench_xcopa_zh", lambda lines: [line for line in lines if line["doc_id"] < 5])
    found = import_lm_eval([(None, evaluated.folder("tiny-a")), ("b", fewer)], tmp_path / "run")
    a, b = evaluated.values("tiny-a", "lensbench_xcopa_zh"), evaluated.values("tiny-b", "lensbench_xcopa_zh")
    cell = cells_of(found)["xcopa", "zh", "b", "acc"]
    assert cell["delta"] == pytest.approx(sum(b[i] - a[i] for i in range(5)) / 5)
    assert (cell["n"], cell["planned"]) == (5, LIMIT)
    assert any("but for 5 items: 0 of its 5 and 3 of 8 of base have no partner" in note for note in found.notes)
    # lm-eval's number was of eight items, so the mean of five differs from it, unless chance has it otherwise.
    if abs(sum(b[i] for i in range(5)) / 5 - sum(b.values()) / 8) > 1e-6:
        assert any("lm-eval's own acc,none of b on xcopa/zh" in note for note in found.notes)


def test_results_without_samples_are_numbers_without_items(evaluated: Evaluated, tmp_path: Path) -> None:
    home = tmp_path / "bare"
    home.mkdir()
    (results,) = evaluated.folder("tiny-b").glob("results_*.json")
    shutil.copy(results, home)
    found = import_lm_eval([(None, evaluated.folder("tiny-a")), ("b", home)], tmp_path / "run")
    cells = cells_of(found)
    for name, (task, language) in CLOSED.items():
        cell, value = cells[task, language, "b", "acc"], evaluated.number("tiny-b", name)
        error = evaluated.number("tiny-b", name, "acc_stderr,none")
        assert cell["value"] == pytest.approx(value) and cell["given"] == "lm-eval"
        assert (cell["low"], cell["high"]) == pytest.approx(
            (max(0, value - 1.959964 * error), min(1, value + 1.959964 * error)), abs=1e-6
        )
        assert cell["delta"] is None and cell["n"] == LIMIT and cell["states"] == {"without_items": LIMIT}
        assert any(note.startswith(f"items of b on {task}/{language}: no samples were found") for note in found.notes)
    assert cells["xcopa", "zh", "base", "acc"].get("given") is None


def test_an_aggregate_that_is_no_mean_is_told(evaluated: Evaluated, doctored: Any, tmp_path: Path) -> None:
    def weigh(content: dict[str, Any]) -> None:
        content["results"]["lensbench_xcopa_zh"]["acc,none"] = 0.987

    found = import_lm_eval([(None, doctored(results=weigh))], tmp_path / "run")
    (note,) = found.notes
    assert "lm-eval's own acc,none of base on xcopa/zh: it gives 0.9870" in note


def test_metrics_that_are_no_shares_are_left_out_and_told(evaluated: Evaluated, doctored: Any, tmp_path: Path) -> None:
    def perplexing(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{**line, "metrics": ["acc", "perplexity"], "perplexity": 12.5} for line in lines]

    found = import_lm_eval([(None, doctored("lensbench_xcopa_zh", perplexing))], tmp_path / "run")
    assert {metric for task, _, _, metric in cells_of(found) if task == "xcopa"} == {"acc"}
    assert found.notes == ["xcopa/zh of base: perplexity,none (no share of 0 to 1 per item)"]


def test_a_number_that_is_none_is_a_failure(evaluated: Evaluated, doctored: Any, tmp_path: Path) -> None:
    def broken(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
        lines[0]["filtered_resps"][0][0] = "nan"
        return lines

    found = import_lm_eval([(None, doctored("lensbench_xcopa_zh", broken))], tmp_path / "run")
    cell = cells_of(found)["xcopa", "zh", "base", "acc"]
    assert (cell["n"], cell["failures"], cell["states"]) == (LIMIT, 1, {"ok": LIMIT - 1, "not_finite": 1})


def cut(path: Path, share: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])


def test_cut_off_and_foreign_files_are_named(doctored: Any, tmp_path: Path) -> None:
    home = doctored()
    (samples,) = home.glob("samples_lensbench_xcopa_zh_*.jsonl")
    (results,) = home.glob("results_*.json")
    whole = samples.read_bytes()
    cut(samples, 0.6)
    with pytest.raises(DataError, match=r"samples_lensbench_xcopa_zh_.*line \d: not JSON"):
        read_lm_eval(home)
    samples.write_bytes(whole + whole.splitlines(keepends=True)[0])
    with pytest.raises(DataError, match="line 9: document 0 appears twice"):
        read_lm_eval(home)
    samples.write_bytes(b'{"doc_id": 0}\n')
    with pytest.raises(DataError, match="line 1: no doc, target"):
        read_lm_eval(home)
    samples.write_bytes(whole)
    cut(results, 0.5)
    with pytest.raises(DataError, match=r"results_.*: not JSON"):
        import_lm_eval([(None, home)], tmp_path / "run")
    assert not (tmp_path / "run").exists() and not list(tmp_path.glob("*.partial"))
    results.write_text('{"other": 1}')
    with pytest.raises(DataError, match="it has no 'results'"):
        read_lm_eval(home)
    with pytest.raises(UsageError, match="no results of lm-eval"):
        read_lm_eval(tmp_path / "nowhere")


@pytest.mark.parametrize("version", ["0.3.0", "1.0"])
def test_another_version_is_refused(doctored: Any, version: str) -> None:
    home = doctored(results=lambda content: content.update(lm_eval_version=version))
    with pytest.raises(UsageError, match=r"lm-eval (0\.3\.0|1\.0), which lensbench does not know"):
        read_lm_eval(home)


def test_the_newest_of_several_evaluations_is_taken(evaluated: Evaluated, tmp_path: Path) -> None:
    home = tmp_path / "both"
    shutil.copytree(evaluated.folder("tiny-a"), home)
    for path in evaluated.folder("tiny-a").glob("results_*.json"):
        (home / "results_2020-01-01T00-00-00.000000.json").write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    found = import_lm_eval([(None, home)], tmp_path / "run")
    assert cells_of(found)["xcopa", "zh", "base", "acc"].get("given") is None
    assert sum("an older evaluation of" in note and "results_2020" in note for note in found.notes) == 4


def test_names_that_clash_or_are_taken(evaluated: Evaluated, tmp_path: Path) -> None:
    a = evaluated.folder("tiny-a")
    with pytest.raises(UsageError, match="two models would be called 'tiny-a'"):
        import_lm_eval([(None, evaluated.folder("tiny-b")), (None, a), (None, a)], tmp_path / "run")
    with pytest.raises(UsageError, match="'mine' names 2 models"):
        import_lm_eval([("mine", evaluated.home / "out")], tmp_path / "run")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    with pytest.raises(UsageError, match="not an empty folder"):
        import_lm_eval([(None, a)], tmp_path / "full")


@pytest.mark.parametrize(
    ("name", "task", "language"),
    [
        ("xwinograd_jp", "xwinograd", "ja"),
        ("xstorycloze_sw", "xstory_cloze", "sw"),
        ("xcopa_zh", "xcopa", "zh"),
        ("lensbench_m_mmlu_bn", "m_mmlu", "bn"),
        ("belebele_zho_Hans", "belebele", "zh"),
        ("mgsm_direct_bn", "mgsm_direct", "bn"),
        ("arc_easy", "arc_easy", "und"),
        ("hellaswag", "hellaswag", "und"),
        ("it", "it", "und"),
        # The end of a name is no language by itself: "analytical reasoning", in English.
        ("agieval_lsat_ar", "agieval_lsat_ar", "und"),
        ("my_task_it", "my_task_it", "und"),
        ("kmmlu_law", "kmmlu_law", "ko"),
        ("cmmlu_anatomy", "cmmlu_anatomy", "zh"),
        ("truthfulqa_zh_mc1", "truthfulqa_mc1", "zh"),
    ],
)
def test_names_tell_task_and_language(name: str, task: str, language: str) -> None:
    found = named_task(name, TaskRegistry())
    assert (found.task, found.language) == (task, language)


def test_an_unknown_language_can_be_told(evaluated: Evaluated, doctored: Any, tmp_path: Path) -> None:
    home = doctored()
    for path in home.iterdir():
        text = path.read_text(encoding="utf-8").replace("sums_en", "sums").replace('"language": "en"', '"said": ""')
        path.unlink()
        (home / path.name.replace("sums_en", "sums")).write_text(text, encoding="utf-8")
    untold = import_lm_eval([(None, home)], tmp_path / "untold")
    assert ("sums", "und", "base", "exact_match:any") in cells_of(untold)
    assert any("the language of sums: the name does not tell it" in note for note in untold.notes)
    told = import_lm_eval([(None, home)], tmp_path / "told", {"sums": "en"})
    assert ("sums", "en", "base", "exact_match:any") in cells_of(told) and told.notes == []
    with pytest.raises(UsageError, match="unknown task 'summs'"):
        import_lm_eval([(None, home)], tmp_path / "wrong", {"summs": "en"})


def test_what_lensbench_writes_for_lm_evals_viewers_is_read_back(cli, tiny_model_dir: Path, tmp_path: Path) -> None:
    done = cli(
        "run",
        "--backbone",
        tiny_model_dir,
        "--languages",
        "zh",
        "--data",
        "embedded",
        "--tasks",
        "xcopa",
        "--limit",
        "6",
        "--out",
        tmp_path / "run",
    )
    assert done.returncode == 0, done.stderr
    found = import_lm_eval([(None, tmp_path / "run" / "lm_eval" / "base")], tmp_path / "again")
    theirs = {(c["task"], c["language"]): c for c in json.loads((tmp_path / "run" / "results.json").read_text())["cells"]}
    ours = {(t, code): c for (t, code, _, _), c in cells_of(found).items()}
    fields = ("value", "n", "failures", "low", "high", "picks")
    assert ours.keys() == theirs.keys()
    assert all([ours[k][f] for f in fields] == [theirs[k][f] for f in fields] for k in ours)


def test_commands_take_lm_evals_folders_as_they_are(
    cli, evaluated: Evaluated, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b, env = evaluated.folder("tiny-a"), evaluated.folder("tiny-b"), {"LENSBENCH_CACHE": str(tmp_path / "cache")}
    report = cli("report", a, b, "--html", tmp_path / "report.html", env=env)
    assert report.returncode == 0, report.stderr
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "XCOPA" in page and "tiny-b" in page
    nowhere = cli("report", a, env=env)
    assert nowhere.returncode == 2 and "--html" in nowhere.stderr
    compared = cli("compare", a, b, "--json", env=env)
    assert compared.returncode == 0, compared.stderr
    found = {(c["task"], c["language"]): c for c in json.loads(compared.stdout)["cells"] if c["metric"] == "acc"}
    x, y = (evaluated.values(model, "lensbench_xcopa_zh") for model in ("tiny-a", "tiny-b"))
    assert found["xcopa", "zh"]["delta"] == pytest.approx(sum(y[i] - x[i] for i in x) / len(x))
    monkeypatch.setenv("LENSBENCH_CACHE", str(tmp_path / "another"))
    made = as_runs([a, b])
    assert len(made) == 1 and (made[0] / "run.json").is_file()
    written = cli("import-lm-eval", a, f"mine={b}", "--to", tmp_path / "run")
    assert written.returncode == 0, written.stderr
    assert "mine: " in written.stdout and f"{4 * LIMIT} items" in written.stdout
    shown = cli("show", tmp_path / "run")
    assert shown.returncode == 0 and "mine" in shown.stdout

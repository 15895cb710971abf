"""Files of lm-eval 0.4.0 to 0.4.8, and files under other names, are known by what they hold."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lensbench.errors import DataError, UsageError
from lensbench.interop.lm_eval.finding import date_in
from lensbench.interop.lm_eval.import_run import import_lm_eval
from lensbench.interop.lm_eval.reading import read_lm_eval
from lensbench.interop.lm_eval.samples import sample_hash

DATE = "2025-07-21T14-41-47.889425"
ROWS = 8
Change = Callable[[dict[str, Any]], None]


def nothing(content: dict[str, Any]) -> None:
    pass


def sample(number: int, right: bool) -> dict[str, Any]:
    doc = {"q": f"question {number}"}
    return {
        "doc_id": number,
        "doc": doc,
        "target": "0",
        "arguments": {f"gen_args_{i}": {"arg_0": f"question {number}", "arg_1": option} for i, option in enumerate((" A", " B"))},
        "resps": [[["-1.0", "False"]], [["-2.0", "False"]]],
        "filtered_resps": [["-1.0", "False"], ["-2.0", "False"]],
        "filter": "none",
        "metrics": ["acc"],
        "doc_hash": sample_hash(json.dumps(doc, indent=2)),
        "prompt_hash": sample_hash(f"question {number}"),
        "target_hash": sample_hash("0"),
        "acc": float(right),
    }


def write(
    home: Path,
    right: int,
    *,
    results: Change = nothing,
    lines: Change = nothing,
    name: str = f"results_{DATE}.json",
    samples: str = f"samples_xcopa_sw_{DATE}.jsonl",
    whole: bool = False,
) -> Path:
    """A model's files as 0.4.9 writes them, changed to what another version writes."""
    home.mkdir(parents=True)
    config = {"task": "xcopa_sw", "output_type": "multiple_choice", "metric_list": [{"metric": "acc", "aggregation": "mean"}]}
    content: dict[str, Any] = {
        "results": {"xcopa_sw": {"alias": "xcopa_sw", "acc,none": right / ROWS, "acc_stderr,none": 0.1}},
        "configs": {"xcopa_sw": config},
        "versions": {"xcopa_sw": 1.0},
        "n-shot": {"xcopa_sw": 0},
        "config": {"model": "hf", "model_args": f"pretrained=org/{home.name},dtype=float32"},
        "date": 1.0,
        "lm_eval_version": "0.4.9",
        "model_name": f"org/{home.name}",
    }
    results(content)
    (home / name).write_text(json.dumps(content), encoding="utf-8")
    logged = [sample(number, number < right) for number in range(ROWS)]
    for record in logged:
        lines(record)
    text = json.dumps(logged, indent=2) if whole else "".join(json.dumps(record) + "\n" for record in logged)
    (home / samples).write_text(text, encoding="utf-8")
    return home


def drop(*names: str) -> Change:
    return lambda content: [content.pop(name, None) for name in names] and None


def old_lines(record: dict[str, Any]) -> None:
    """As 0.4.0 to 0.4.2 wrote a sample: arguments in lists, numbers as numbers, no hashes."""
    drop("filter", "metrics", "doc_hash", "prompt_hash", "target_hash")(record)
    record["arguments"] = [["question " + str(record["doc_id"]), option] for option in (" A", " B")]
    record["filtered_resps"] = [[-1.0, False], [-2.0, False]]
    record["target"] = 0


VERSIONS: dict[str, dict[str, Any]] = {
    "0.4.9": {},
    "0.4.8": {"results": drop("lm_eval_version")},
    "of a checkout": {"results": lambda c: c.update(lm_eval_version="No package metadata was found for lm_eval")},
    "0.4.4": {"results": drop("lm_eval_version"), "lines": drop("filter", "metrics")},
    "0.4.2": {
        "results": drop("lm_eval_version", "model_name"),
        "lines": old_lines,
        "whole": True,
        "name": "results.json",
        "samples": "pretrained__org__b,dtype__float32_xcopa_sw.jsonl",
    },
    "X.json": {"name": f"sw_xcopa_0shot_{DATE}.json"},
    "a colon in its name": {"name": f"results_FLOR:2025-07-21T1441-16_{DATE}.json"},
    "renamed": {"name": f"results_{DATE}pr-200.json"},
    "without its date": {"name": "results_mine.json"},
}


@pytest.mark.parametrize("version", VERSIONS)
def test_a_file_is_read_by_its_content(tmp_path: Path, version: str) -> None:
    a, b = write(tmp_path / "a", 3), write(tmp_path / "b", 6, **VERSIONS[version])
    found = import_lm_eval([(None, a), ("b", b)], tmp_path / "run")
    assert found.items == ROWS and found.variants == {"base": "org/a", "b": "org/b"} and found.notes == []
    cell = next(c for c in found.folder.read_json("results.json")["cells"] if c["variant"] == "b")
    assert (cell["task"], cell["language"], cell["value"], cell["delta"]) == ("xcopa", "sw", 6 / 8, 3 / 8)


def test_a_file_by_its_name_finds_its_samples(tmp_path: Path) -> None:
    b = write(tmp_path / "b", 6, **VERSIONS["X.json"])
    (model,) = read_lm_eval(next(b.glob("*.json")))
    assert len(model.tasks["xcopa_sw"].samples or ()) == ROWS


def test_samples_of_another_evaluation_are_not_taken_and_told(tmp_path: Path) -> None:
    other = "samples_xcopa_sw_2020-01-01T00-00-00.000000.jsonl"
    b = write(tmp_path / "b", 6, samples=other)
    found = import_lm_eval([(None, b)], tmp_path / "run")
    assert found.items == 0 and any(f"no samples were found of this evaluation (there are {other})" in n for n in found.notes)


@pytest.mark.parametrize(
    ("name", "date"),
    [(f"results_{DATE}", DATE), ("results", None), (f"a_b_{DATE}x", DATE), ("results_FLOR:2025-07-21T1441-16", None)],
)
def test_the_date_in_a_name(name: str, date: str | None) -> None:
    assert date_in(name) == date


def test_numbers_without_filters_are_of_before(tmp_path: Path) -> None:
    def old(content: dict[str, Any]) -> None:
        content["results"] = {"xcopa_sw": {"acc": 0.5, "acc_stderr": 0.1}}
        content.pop("lm_eval_version")

    with pytest.raises(UsageError, match=r"as lm-eval wrote them before 0\.4"):
        read_lm_eval(write(tmp_path / "b", 6, results=old))


def test_a_line_for_each_filter_is_told_by_its_place(tmp_path: Path) -> None:
    """0.4.3 to 0.4.5 write a document once for each filter, and no filter's name."""
    home = write(tmp_path / "b", 6)
    path = home / f"samples_xcopa_sw_{DATE}.jsonl"
    plain = [sample(n, False) for n in range(ROWS)]
    records = [{**drop_from(r), "acc": float(kept == "loose")} for kept in ("strict", "loose") for r in plain]
    path.write_text("".join(json.dumps(r) + "\n" for r in records), encoding="utf-8")
    results = home / f"results_{DATE}.json"
    content = json.loads(results.read_text(encoding="utf-8"))
    content["configs"]["xcopa_sw"]["filter_list"] = [{"name": "strict"}, {"name": "loose"}]
    results.write_text(json.dumps(content), encoding="utf-8")
    (model,) = read_lm_eval(home)
    metrics = [s.metrics for s in model.tasks["xcopa_sw"].samples or ()]
    assert metrics == [{"acc,strict": 0.0, "acc,loose": 1.0}] * ROWS
    path.write_text("".join(json.dumps(r) + "\n" for r in [*records, records[0]]), encoding="utf-8")
    with pytest.raises(DataError, match="document 0 appears twice"):
        read_lm_eval(home)


def drop_from(record: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key not in ("filter", "metrics")}


def test_two_strings_are_a_log_likelihood_only_where_one_was_asked_for(tmp_path: Path) -> None:
    def generated(record: dict[str, Any]) -> None:
        record["arguments"] = {"gen_args_0": {"arg_0": "say two words", "arg_1": {"until": ["\n"]}}}
        record["filtered_resps"] = [["-1.0", "False"]]

    b = write(tmp_path / "b", 6, lines=generated, results=lambda c: c["configs"]["xcopa_sw"].update(output_type="generate_until"))
    (model,) = read_lm_eval(b)
    (first, *_) = model.tasks["xcopa_sw"].samples or ()
    assert first.answers == [] and first.texts == {"none": "['-1.0', 'False']"}


def test_bits_below_one_are_no_share(tmp_path: Path) -> None:
    def bits(content: dict[str, Any]) -> None:
        content["results"]["xcopa_sw"] = {"bits_per_byte,none": 0.9}
        content["configs"]["xcopa_sw"]["metric_list"] = [{"metric": "bits_per_byte", "aggregation": "bits_per_byte"}]

    b = write(tmp_path / "b", 6, results=bits, samples="other.jsonl")
    found = import_lm_eval([(None, b)], tmp_path / "run")
    assert found.folder.read_json("results.json")["cells"] == []
    assert any("bits_per_byte,none left out (no share)" in note for note in found.notes)


def test_the_hash_is_lm_evals() -> None:
    from lm_eval.utils import hash_string

    assert sample_hash("frage ü") == hash_string("frage ü") == hashlib.sha256("frage ü".encode()).hexdigest()

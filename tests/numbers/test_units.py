"""The unit of a number comes from what is known of its metric, never from where its values lie."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import Here

from lensbench.interop.lm_eval.import_run import import_lm_eval
from lensbench.metrics import get_metric


@pytest.mark.parametrize(
    ("metric", "unit"),
    [
        ("acc", "share"),
        ("acc_norm", "share"),
        ("exact_match:strict-match", "share"),
        ("f1", "share"),
        ("lf_turn1", "share"),
        ("toxicity", "number"),
        ("perplexity", "number"),
        ("bits_per_byte", "number"),
        ("bleu", "number"),
        ("acc_like", "number"),
    ],
)
def test_the_unit_of_a_metric(metric: str, unit: str) -> None:
    assert get_metric(metric).unit.name == unit


@pytest.fixture
def imported(tmp_path: Path) -> Path:
    """lm-eval's results of one task with a share and a number between 0 and 1, of two models; with samples and without."""
    date = "2025-01-01T00-00-00.000000"
    for name, values in (("a", (0.31, 0.33, 0.35, 0.37)), ("b", (0.21, 0.23, 0.25, 0.27))):
        home = tmp_path / name
        home.mkdir()
        means = {"acc,none": 0.5, "toxicity,none": sum(values) / 4}
        told = {"acc": True, "toxicity": False}
        content = {
            "results": {"chats_zh": means, "bare_zh": {"acc,none": 0.5, "toxicity,none": 0.125, "toxicity_stderr,none": 0.01}},
            "higher_is_better": {"chats_zh": told, "bare_zh": told},
            "configs": {
                task: {"task": task, "output_type": "multiple_choice", "metadata": {"language": "zh"}}
                for task in ("chats_zh", "bare_zh")
            },
            "versions": {"chats_zh": 1, "bare_zh": 1},
            "n-samples": {"bare_zh": {"effective": 50}},
            "model_name": name,
            "lm_eval_version": "0.4.9",
        }
        (home / f"results_{date}.json").write_text(json.dumps(content), encoding="utf-8")
        lines = [
            {
                "doc_id": i,
                "doc": {"q": str(i)},
                "target": "0",
                "arguments": {"gen_args_0": {"arg_0": "q", "arg_1": " a"}},
                "filtered_resps": [["-1.0", "True"]],
                "filter": "none",
                "metrics": ["acc", "toxicity"],
                "acc": float(i % 2),
                "toxicity": value,
            }
            for i, value in enumerate(values)
        ]
        (home / f"samples_chats_zh_{date}.jsonl").write_text("".join(json.dumps(x) + "\n" for x in lines), encoding="utf-8")
    import_lm_eval([(None, tmp_path / "a"), ("b", tmp_path / "b")], tmp_path / "run")
    return tmp_path / "run"


def test_a_number_between_0_and_1_is_shown_as_it_is(imported: Path, here: Here, tmp_path: Path) -> None:
    content = json.loads((imported / "results.json").read_text(encoding="utf-8"))
    units = {(c["task"], c["metric"]): c["unit"] for c in content["cells"]}
    assert {metric: unit for (_, metric), unit in units.items()} == {"acc": "share", "toxicity": "number"}
    code, said = here("show", imported, "--all")
    assert code == 0, said
    rows = [line.split() for line in said.splitlines() if "0.340" in line or "0.240" in line or "0.125" in line]
    assert len(rows) >= 3 and "34.0" not in said and "24.0" not in said and "12.5" not in said
    # Lower is better, by lm-eval's own file; the difference in the same unit.
    assert "-0.100" in said
    assert "50.0" in said
    for words in (
        ("figure", "understanding", imported, "--metric", "toxicity", "--out", tmp_path / "f.svg"),
        ("report", imported, "--html", tmp_path / "r.html"),
        ("compare", imported, imported, "--variant", "base", "--with", "b"),
    ):
        code, said = here(*words)
        assert code == 0 and "34.0" not in said, (words, said)
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "0.340" in page and ">34.0" not in page

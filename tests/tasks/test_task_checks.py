"""Tasks that render and are wrong all the same: refused by `validate` and by a run alike, or counted item by item."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Here
from hostile_tasks import ROW, TASK, errors, findings, write
from small_rows import write_small_data

from lensbench.datasets.sources import Folder
from lensbench.errors import DataError, UsageError
from lensbench.languages import get_language
from lensbench.plan.plan import make_plan
from lensbench.plan.request import RunRequest
from lensbench.plan.task_items import load_rows, render_items

SIX = [{**ROW, "q": f"Wapi {i}?", "a": f"Hapa {i}", "b": f"Kule {i}", "label": i % 2} for i in range(6)]
FAULTS: dict[str, tuple[str, list[dict[str, Any]], str]] = {
    "gold from one": (TASK, [{**row, "label": row["label"] + 1} for row in SIX], "3 of 6 items have a gold .* index 2 of 2"),
    "negative gold": (TASK, [*SIX[:5], {**SIX[5], "label": -1}], r"1 of 6 items .* \(rows 6; row 6: index -1 of 2"),
    "gold of no choice": (TASK.replace("doc_to_target: label", "doc_to_target: '{{ q }}'"), SIX, "'Wapi 0.' is none of"),
    "gold of the other kind": (
        TASK.replace("doc_to_target: label", "doc_to_target: \"{{ 'AB'[label] }}\""),
        SIX,
        "'A' is none of",
    ),
    "single braces": (TASK.replace("{{ q }}", "Swali: {q} Jibu:"), SIX, "the column 'q' in single"),
    "no column": (
        TASK.replace("{{ q }}", "Swali?").replace("{{ [a, b] }}", "{{ ['ndiyo', 'hapana'] }}"),
        SIX,
        "6 different rows give one and the same prompt",
    ),
    "few prompts": (
        TASK.replace("{{ q }}", "Swali {{ label }}").replace("{{ [a, b] }}", "{{ ['ndiyo', 'hapana'] }}"),
        SIX,
        "6 different rows give only 2 different prompts",
    ),
    "choices in a list": (TASK.replace('"{{ [a, b] }}"', '["{{ a }}", "{{ b }}"]'), SIX, "a list is not rendered"),
    "choices by name": (TASK.replace('"{{ [a, b] }}"', "[label, label]"), SIX, "label, label, which are names of columns"),
    "random": (TASK.replace("{{ q }}", "{{ q|random }}"), SIX, "No filter named 'random'"),
    "choices as numbers": (TASK.replace('"{{ [a, b] }}"', "[1, 2]"), SIX, "1 is no text"),
    "template in vars": (
        TASK.replace("{{ q }}", "{{ q }} {{ cue }}") + "vars: {cue: '{{ a }}'}\n",
        SIX,
        "'cue' holds template syntax",
    ),
    "raw": (TASK.replace("{{ q }}", "{% raw %}{{ q }}{% endraw %} {{ q }}"), SIX, "the model would read the template text"),
    "null in the prompt": (
        TASK.replace("{{ q }}", "{{ q }} {{ hint }}"),
        [*SIX[:5], {**SIX[5], "hint": "x"}],
        "a value that is null",
    ),
    "no such column": (TASK.replace("{{ q }}", "{{ question }}"), SIX, "'question' is neither a column"),
    "all equal": (TASK, [{**row, "b": row["a"]} for row in SIX], "no item can be scored"),
    "null column": (TASK, [*SIX[:3], {**SIX[3], "q": None}], "row 4: column 'q' is null"),
    "surrogate": (TASK, [*SIX[:3], {**SIX[3], "q": "\ud800"}], "half of a surrogate pair"),
}


def plan_of(home: Path, **more: Any) -> Any:
    return make_plan(
        RunRequest(
            "smollm2-135m", tasks=("toy",), languages=("sw",), profile="lm-eval", data=str(home / "data"), include=(home,), **more
        )
    )


@pytest.mark.parametrize("name", FAULTS)
def test_validate_and_run_refuse_alike(name: str, tmp_path: Path) -> None:
    task, rows, says = FAULTS[name]
    write(tmp_path, task, rows)
    with pytest.raises(UsageError, match=says) as caught:
        render_items(plan := plan_of(tmp_path), load_rows(plan, {}), lambda messages, **_: str(messages))
    assert caught.value.message in errors(tmp_path)


@pytest.mark.parametrize("text", ["{{ q if false }}", "{# {{ q }} #} Jibu:", "<q> Jibu:", "%(q)s Jibu:", "Q: q"])
def test_a_column_that_is_named_and_not_shown(text: str, tmp_path: Path) -> None:
    """The choices differ from row to row, so the prompts do too."""
    write(tmp_path, TASK.replace("{{ q }}", text), SIX)
    warnings = [message for level, message in findings(tmp_path) if level == "warning"]
    assert "the column 'q' is in none of the 6 questions looked at" in warnings


def test_a_metric_that_is_no_mean_over_items_is_told(tmp_path: Path) -> None:
    metrics = "metric_list: [{metric: acc, aggregation: median}]"
    write(tmp_path, "".join(metrics + "\n" if line.startswith("metric_list") else line + "\n" for line in TASK.splitlines()), SIX)
    said = "sw: the metric 'acc' is no mean over items in lm-eval; results have the mean of its items all the same"
    assert ("warning", said) in findings(tmp_path)


def test_single_items_without_a_score_are_counted(tmp_path: Path, tiny_model_dir: Path, cli: Callable[..., Any]) -> None:
    rows = [*SIX[:4], {**SIX[4], "b": " "}, {**SIX[5], "b": SIX[5]["a"]}]
    write(tmp_path, TASK, rows)
    found = findings(tmp_path)
    assert not errors(tmp_path)
    warnings = "\n".join(message for level, message in found if level == "warning")
    assert "1 of 6 items cannot be scored and count as failures: a choice is empty or white space" in warnings
    assert "the right choice appears twice (rows 6)" in warnings
    out = tmp_path / "run"
    done = cli(
        "run",
        "--backbone",
        tiny_model_dir,
        "--tasks",
        "toy",
        "--languages",
        "sw",
        "--profile",
        "lm-eval",
        "--include-path",
        tmp_path,
        "--data",
        tmp_path / "data",
        "--device",
        "cpu",
        "--out",
        out,
    )
    assert done.returncode == 0, done.stderr
    scores = [json.loads(line) for line in (out / "items" / "score.jsonl").read_text().splitlines()]
    assert sorted(record["state"] for record in scores) == ["empty_choice", "equal_choices", *["ok"] * 4]
    assert all(not record["metrics"] for record in scores if record["state"] != "ok")
    (cell,) = (c for c in json.loads((out / "results.json").read_text())["cells"] if c["metric"] == "acc")
    assert (cell["n"], cell["failures"], cell["states"]["empty_choice"]) == (6, 2, 1)


def test_a_chat_template_that_drops_the_message_is_noticed(tmp_path: Path) -> None:
    write(tmp_path, TASK.replace("profile: lm-eval", "profile: lens-paper").replace("{{ [a, b] }}", "{{ ['A', 'B'] }}"), SIX)
    plan = plan_of(tmp_path)
    with pytest.raises(DataError, match="6 different rows give one and the same prompt") as caught:
        render_items(plan, load_rows(plan, {}), lambda messages, **_: "<user></user>")
    assert "chat template" in str(caught.value.hint)


def test_an_optional_column_survives_where_the_first_row_lacks_it(tmp_path: Path) -> None:
    rows = [*SIX[:1], *({**row, "hint": f"kidokezo {i}"} for i, row in enumerate(SIX[1:]))]
    write(tmp_path, TASK, rows)
    (asked,) = render_items(plan := plan_of(tmp_path), load_rows(plan, {}), lambda messages, **_: str(messages))
    assert [item.doc["hint"] for item in asked.items] == [None, *(f"kidokezo {i}" for i in range(5))]


def test_references_of_mt_bench_survive_where_the_first_question_has_none(tmp_path: Path) -> None:
    home = tmp_path / "mt_bench" / "sw"
    home.mkdir(parents=True)
    lines = [
        {
            "question_id": 81 + i,
            "category": "math" if i else "writing",
            "turns": [f"Swali {i}", f"Na {i}"],
            **({"reference": [f"Jibu {i}", f"Pia {i}"]} if i else {}),
        }
        for i in range(3)
    ]
    (home / "test.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    request = RunRequest("smollm2-135m", tasks=("mt_bench",), languages=("sw",), english=False, data=str(tmp_path))
    (asked,) = render_items(plan := make_plan(request), load_rows(plan, {}), lambda messages, **_: str(messages))
    assert [item.doc["reference"] for item in asked.items] == [None, ["Jibu 1", "Pia 1"], ["Jibu 2", "Pia 2"]]


def test_columns_of_unlike_types_are_named(tmp_path: Path) -> None:
    write(tmp_path, TASK, [*SIX[:5], {**SIX[5], "more": 1}, {**SIX[4], "q": "Wapi?", "more": "x"}])
    assert "column 'more' has values of unlike types (int, str)" in errors(tmp_path)


def test_parquet_columns_that_json_has_not_are_read(tmp_path: Path) -> None:
    import datetime
    import decimal

    import pyarrow
    import pyarrow.parquet

    write(tmp_path, TASK, SIX)
    home = tmp_path / "data" / "toy" / "sw"
    (home / "test.jsonl").unlink()
    table = pyarrow.table(
        {
            **{name: [row[name] for row in SIX] for name in SIX[0]},
            "day": pyarrow.array([datetime.date(2026, 1, 1 + i) for i in range(6)]),
            "at": pyarrow.array(list(range(6)), pyarrow.timestamp("ns", "UTC")),
            "price": pyarrow.array([decimal.Decimal("1.50")] * 6),
            "tags": pyarrow.array([[("k", i)] for i in range(6)], pyarrow.map_(pyarrow.string(), pyarrow.int64())),
            "raw": pyarrow.array([b"\xff"] * 6),
            "took": pyarrow.array([1] * 6, pyarrow.duration("s")),
        }
    )
    pyarrow.parquet.write_table(table, home / "test.parquet")
    assert errors(tmp_path) == ""
    from lensbench.datasets.rows import parse_rows_spec

    rows = Folder(tmp_path / "data").load(parse_rows_spec(tmp_path / "rows" / "toy.yaml"), get_language("sw"), "test").rows
    assert (rows[1]["day"], rows[1]["price"], rows[1]["raw"], rows[1]["took"]) == ("2026-01-02", "1.50", "/w==", 1.0)
    assert rows[1]["tags"] == [{"key": "k", "value": 1}]
    json.dumps(rows, allow_nan=False)


def test_blank_lines_and_a_byte_order_mark_are_read_over(tmp_path: Path) -> None:
    write(tmp_path, TASK, SIX)
    path = tmp_path / "data" / "toy" / "sw" / "test.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\n\n"))
    assert errors(tmp_path) == ""


def test_a_column_that_no_template_shows_is_said(tmp_path: Path) -> None:
    write(tmp_path, TASK, SIX)
    rows = tmp_path / "rows" / "toy.yaml"
    rows.write_text(
        rows.read_text()
        .replace("b: {type: str}", "b: {type: str}, label: {type: int}, q2: {type: text}")
        .replace("label: {type: int}, hint", "hint")
    )
    path = tmp_path / "data" / "toy" / "sw" / "test.jsonl"
    path.write_text("".join(json.dumps({**row, "q2": "x"}) + "\n" for row in SIX))
    assert ("warning", "no template shows the column 'q2', which every row of 'toy' has") in findings(tmp_path)


def test_where_question_and_choice_meet(tmp_path: Path) -> None:
    write(tmp_path / "two", TASK.replace("{{ [a, b] }}", "{{ [' ' ~ a, ' ' ~ b] }}"), SIX)
    assert any("two blanks before the choice" in message for _, message in findings(tmp_path / "two"))
    write(tmp_path / "none", TASK.replace("{{ q }}", "{{ q }} kwa hiyo") + "target_delimiter: ''\n", SIX)
    assert any("run together" in message and "kwa hiyoHapa 0" in message for _, message in findings(tmp_path / "none"))


def test_validate_and_run_agree_about_splits(tmp_path: Path) -> None:
    """A split that the definition does not list and the data folder has; the stand-ins that `data import` writes."""
    write(tmp_path, TASK.replace("test_split: test", "test_split: extra"), SIX)
    assert "there is no split 'extra' ('toy' has test)" in errors(tmp_path)
    home = tmp_path / "data" / "toy" / "sw"
    (home / "test.jsonl").rename(home / "extra.jsonl")
    assert errors(tmp_path) == "" and plan_of(tmp_path).tasks


@pytest.mark.parametrize("profile", ["lens-paper", "lm-eval"])
def test_an_item_can_be_described(profile: str, tiny_model_dir: Path, cli: Callable[..., Any]) -> None:
    for language in ("zh", "sw"):
        done = cli(
            "tasks",
            "describe",
            "xcopa",
            "--language",
            language,
            "--profile",
            profile,
            "--data",
            "embedded",
            "--backbone",
            tiny_model_dir,
        )
        assert done.returncode == 0, done.stderr
        assert "choice 2:" in done.stdout and "<- gold" in done.stdout and " BOS" in done.stdout


def test_english_can_be_left_out(tmp_path: Path) -> None:
    data = write_small_data(tmp_path / "data", items=4, questions=2)
    request = RunRequest("smollm2-135m", tasks=("xcopa",), languages=("zh",), data=str(data))
    assert {p.task.language.code for p in make_plan(request).tasks} == {"en", "zh"}
    plan = make_plan(RunRequest("smollm2-135m", tasks=("xcopa",), languages=("zh",), data=str(data), english=False))
    assert [p.task.language.code for p in plan.tasks] == ["zh"] and plan.spec.all_languages == ("zh",)
    assert plan.spec.model_validate(plan.spec.model_dump()) == plan.spec
    assert "english" not in make_plan(request).spec.model_dump(mode="json")


@pytest.mark.parametrize(
    "words", [["validate"], ["describe", "xcopa", "--language", "zh"], ["export", "xcopa", "--profile", "lm-eval"]]
)
def test_commands_without_the_engines_name_the_extra(words: list[str], tmp_path: Path) -> None:
    code = (
        "import sys\nfor name in ('torch', 'transformers', 'datasets', 'lm_eval'): sys.modules[name] = None\n"
        f"sys.argv = ['lensbench', 'tasks', *{[*words, *(['--to', str(tmp_path)] if words[0] == 'export' else [])]!r}]\n"
        "from lensbench.cli import main\nmain()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 1 and "pip install 'lensbench[engines]'" in done.stderr, done.stderr
    assert "Traceback" not in done.stderr


def test_commands_agree_about_splits_of_stand_ins(here: Here, tmp_path: Path) -> None:
    """A split of a stand-in file, which no hub has, is one for both; a split that nothing has is none for both."""
    shipped = Path(__file__).parents[2] / "tasks"
    mini = Path(__file__).parents[2] / "lensbench" / "datasets" / "mini"
    data = tmp_path / "data"
    (data / "m_mmlu" / "de").mkdir(parents=True)
    rows = next((mini / "m_mmlu" / "zh").glob("test.*"))
    shutil.copyfile(rows, data / "m_mmlu" / "de" / f"exams{rows.suffix}")
    text = (shipped / "exams.lens-paper.yaml").read_text(encoding="utf-8")
    assert "test_split: exams\n" in text
    for split, right in (("exams", True), ("exams_of_old", False)):
        home = tmp_path / split
        home.mkdir()
        changed = text.replace("test_split: exams\n", f"test_split: {split}\n")
        (home / "exams.yaml").write_text(changed, encoding="utf-8")
        told, said = here("tasks", "validate", home / "exams.yaml", "--data", data)
        assert (told == 0) == right, said
        planned, said = here(
            "run",
            "--backbone",
            "smollm2-135m",
            "--tasks",
            "exams",
            "--languages",
            "de",
            "--no-english",
            "--include-path",
            home,
            "--data",
            data,
            "--dry-run",
        )
        assert (planned == 0) == right, said

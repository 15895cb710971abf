"""The table of averages: variants by languages, a section for each metric. The means are computed here from the cells."""

from __future__ import annotations

import csv
import io
import json
from collections import defaultdict
from pathlib import Path
from statistics import mean
from typing import Any

import pytest
from simulated_run import CLOSED, simulate
from table_runs import average, cell, results, write_run

from lensbench.errors import UsageError
from lensbench.numbers.results import current_results
from lensbench.records import RunFolder
from lensbench.reporting.open_runs import open_runs
from lensbench.reporting.tables import Choice, build_table, load_table_spec, render_table

LANGUAGES = ("en", "zh", "ja", "sw")
VARIANTS = ("base", "lens", "xsft")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    tasks = (*CLOSED, "mt_bench")
    home = tmp_path_factory.mktemp("averages")
    return simulate(home / "run", items=30, languages=LANGUAGES, variants=VARIANTS, tasks=tasks)


def shown(*paths: Path, form: str = "md", **more: Any) -> str:
    intervals = more.pop("intervals", False)
    return render_table(build_table(load_table_spec("averages"), open_runs(list(paths)), **more), form, intervals=intervals)


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_each_number_is_the_mean_of_its_cells(folder: RunFolder) -> None:
    found = rows(shown(folder.path, form="csv"))
    values: dict[tuple[str, str, str], dict[str, float]] = defaultdict(dict)
    for entry in current_results(folder)["cells"]:
        values[entry["metric"], entry["variant"], entry["language"]][entry["task"]] = entry["value"]
    for group, metric, scale in (("Accuracy", "acc", 100), ("Language fidelity", "lf_response", 100), ("Rating", "rating", 1)):
        own = {(row["variant"], row["language"]): float(row["value"]) for row in found if row["column"] == group}
        assert len(own) == len(VARIANTS) * (len(LANGUAGES) + 1)
        for variant in VARIANTS:
            by_language = {code: mean(values[metric, variant, code].values()) for code in LANGUAGES}
            for code, value in by_language.items():
                assert own[variant, code] == pytest.approx(scale * value), (group, variant, code)
            assert own[variant, ""] == pytest.approx(scale * mean(by_language[code] for code in LANGUAGES if code != "en"))


def test_intervals_and_verdicts_are_those_of_the_runs_averages(folder: RunFolder) -> None:
    averages = {
        (entry["variant"], entry["language"]): entry
        for entry in current_results(folder)["averages"]
        if entry["metric"] == "acc" and entry["over"] in ("tasks", "tasks and languages")
    }
    own = [row for row in rows(shown(folder.path, form="csv")) if row["column"] == "Accuracy"]
    assert len(own) == len(averages) == len(VARIANTS) * (len(LANGUAGES) + 1)
    for row in own:
        entry = averages[row["variant"], row["language"] or None]
        assert float(row["low"]) == pytest.approx(100 * entry["low"]) and row["verdict"] == (entry["verdict"] or "")
        if row["variant"] != "base":
            assert float(row["delta_high"]) == pytest.approx(100 * entry["delta_high"])


def test_rows_are_variants_and_columns_languages(folder: RunFolder) -> None:
    text = shown(folder.path)
    assert [line for line in text.splitlines() if line.startswith("## ")] == [
        "## Accuracy, simulated",
        "## Language fidelity, simulated",
        "## Rating, simulated",
    ]
    assert text.count("|  | Zh | Ja | Sw | Targets | En |") == 3
    labels = [line.split(" | ")[0].strip("| ") for line in text.splitlines() if line.startswith("| ") and "---" not in line]
    assert [label for label in labels if label] == ["base", "xSFT", "LENS"] * 3
    assert "Accuracy Zh, Ja, Sw, En: the mean of XCOPA, XWinograd, XStoryCloze, M-MMLU, each task counting alike." in text
    assert "Language fidelity: answers in the asked language, both turns." in text
    for form in ("latex", "html"):
        assert "Language fidelity, simulated" in shown(folder.path, form=form)


def marked(text: str) -> set[tuple[str, str, str, str]]:
    """(measure, row, column, sign) of every mark in a Markdown table."""
    found, section, head = set(), "", []
    for line in text.splitlines():
        parts = [part.strip() for part in line.strip("|").split("|")]
        if line.startswith("## "):
            section = line.removeprefix("## ").partition(",")[0]
        elif line.startswith("|  |"):
            head = parts
        elif line.startswith("| ") and "---" not in line:
            fields = zip(head, parts, strict=True)
            found |= {(section, parts[0], title, sign) for title, part in fields for sign in "▲▼≠" if sign in part}
    return found


def test_what_is_marked_is_what_the_run_found_of_its_endpoints_and_languages(tmp_path: Path) -> None:
    """Open questions are one task in each language, so that what is marked there is a cell's place with the average's verdict."""
    languages, tasks = ("en", "zh", "ja", "sw"), (*CLOSED, "mt_bench")
    folder = simulate(tmp_path / "run", items=120, languages=languages, variants=VARIANTS, tasks=tasks)
    measures = {"acc": "Accuracy", "lf_response": "Language fidelity", "rating": "Rating"}
    labels = {"lens": "LENS", "xsft": "xSFT"}
    signs = {"better": "▲", "worse": "▼", "differs": "≠"}
    averages = current_results(folder)["averages"]
    wanted = {
        (measures[one["metric"]], labels[one["variant"]], (one["language"] or "targets").capitalize(), signs[one["verdict"]])
        for one in averages
        if one["verdict"] in signs
    }
    assert {one["role"] for one in averages if one["verdict"] in signs} == {"endpoint", "language"}
    assert {language for _, _, language, _ in wanted} >= {"Targets", "Zh"} and len({one[0] for one in wanted}) > 1
    assert marked(shown(folder.path)) == wanted
    # In a table of single tasks, means over the targets are of one task each: only those of MT-Bench are endpoints here.
    spec = load_table_spec("multilingual")
    single = render_table(build_table(spec, open_runs([folder.path])), "md")
    assert {(column, sign) for _, _, column, sign in marked(single)} <= {("Targets", "▲"), ("Targets", "▼")}
    titles = {section for section, *_ in marked(single)}
    assert not any(name in title for title in titles for name in ("XCOPA", "XWinograd", "XStoryCloze", "M-MMLU"))


def test_a_language_of_one_task_has_the_verdict_of_its_average(tmp_path: Path) -> None:
    """The cell of the same items is exploratory; without an average the cell is shown with its own interval and items."""
    cells = [cell("xcopa", code, v, x) for code in ("zh", "sw") for v, x in (("base", 0.5), ("lens", 0.6))]
    cells[1] |= {"delta": 0.1, "failures": 3, "states": {"ok": 497, "empty": 3}, "low": 0.55, "high": 0.65}
    one = average(["xcopa/zh"], "lens", 0.6, role="language", over="cell", task="xcopa", delta=0.1, verdict="better", n=497)
    run = write_run(tmp_path / "with", results(cells, averages=[{**one, "low": 0.56, "high": 0.64}]), languages=("zh", "sw"))
    [row] = [line for line in shown(run, intervals=True).splitlines() if line.startswith("| LENS")]
    assert row.split(" | ")[1] == r"60.00 ▲ +10.00<sup>b</sup><br>\[56.00, 64.00\], n 500, 3 without a score"
    run = write_run(tmp_path / "without", results(cells), languages=("zh", "sw"))
    [row] = [line for line in shown(run, intervals=True).splitlines() if line.startswith("| LENS")]
    assert row.split(" | ")[1] == r"60.00 +10.00<sup>b</sup><br>\[55.00, 65.00\], n 500, 3 without a score"


def averaged(*cells: dict[str, Any]) -> dict[str, Any]:
    return results(list(cells))


def test_a_language_of_one_task_is_said_and_counts_as_a_language(tmp_path: Path) -> None:
    """Zh: (50 + 70) / 2 = 60; Sw: 40 alone; targets: (60 + 40) / 2 = 50, not (50 + 70 + 40) / 3."""
    content = averaged(cell("xcopa", "zh", "base", 0.5), cell("xwinograd", "zh", "base", 0.7), cell("xcopa", "sw", "base", 0.4))
    text = shown(write_run(tmp_path / "run", content, languages=("zh", "sw")))
    [row] = [line for line in text.splitlines() if line.startswith("| base")]
    assert [part.split("<")[0] for part in row.strip("| ").split(" | ")] == ["base", "60.00", "40.00", "50.00"]
    assert "Sw: XCOPA alone, which is no mean." in text


def test_one_target_has_no_mean_over_targets(tmp_path: Path) -> None:
    content = averaged(*(cell(task, code, "base", 0.5) for task in ("xwinograd", "m_mmlu") for code in ("en", "zh")))
    assert "|  | Zh | En |" in shown(write_run(tmp_path / "run", content))


def test_metrics_and_profiles_have_sections_of_their_own(tmp_path: Path) -> None:
    other = {"profile": "lm-eval"}
    content = averaged(
        cell("xcopa", "zh", "base", 0.5),
        cell("xwinograd", "zh", "base", 0.6, **other),
        cell("m_mmlu", "zh", "base", 0.7, metric="exact_match"),
    )
    run = write_run(tmp_path / "run", content)
    titles = [line for line in shown(run).splitlines() if line.startswith("## ")]
    backbone = "LLaMA-3-8B-Instruct"
    assert titles == [
        f"## Accuracy, profile lens-paper, {backbone}",
        f"## Accuracy, profile lm-eval, {backbone}",
        f"## Exact\\_match, {backbone}",
    ]
    text = shown(run, choice=Choice(profile="lm-eval"))
    assert "60.00" in text and "50.00" not in text
    with pytest.raises(UsageError, match="unknown profile"):
        shown(run, choice=Choice(profile="lm-evil"))


def test_a_run_without_any_such_metric(tmp_path: Path) -> None:
    content = averaged(cell("mt_bench", "zh", "base", 0.5, metric="lf_question_concat", profile="mt-bench", source="g:1"))
    with pytest.raises(UsageError, match="no number of the table 'averages'"):
        shown(write_run(tmp_path / "run", content))


def test_two_runs_of_one_backbone_share_the_sections(tmp_path: Path) -> None:
    def run(name: str, variant: str) -> Path:
        cells = [cell(task, "zh", v, 0.5) for task in ("xcopa", "xwinograd") for v in ("base", variant)]
        return write_run(tmp_path / name, averaged(*cells))

    text = shown(run("a", "lens"), run("b", "xsft"))
    assert text.count("| base |") == 1 and "| LENS |" in text and "| xSFT |" in text


def test_the_papers_average_stands_beside_ours(tmp_path: Path) -> None:
    """LENS prints 69.02 for the base's mean of the four tasks in Chinese."""
    tasks = {"xcopa": 0.834, "xwinograd": 0.54, "xstory_cloze": 0.85, "m_mmlu": 0.5}
    content = averaged(*(cell(task, "zh", "base", value) for task, value in tasks.items()))
    content["averages"] = [
        {
            **dict.fromkeys(("task", "delta", "delta_low", "delta_high", "p_holm")),
            **{"over": "tasks", "language": "zh", "profile": "lens-paper", "variant": "base", "metric": "acc", "unit": "share"},
            **{"source": "", "cells": [f"{task}/zh" for task in tasks], "value": 0.681, "n": 2000, "low": 0.66, "high": 0.685},
        }
    ]
    path = write_run(tmp_path / "run", json.loads(json.dumps(content)))
    text = shown(path, published=True)
    # 69.02 is 0.52 beyond 68.50; 68.10 - 69.02 = -0.92.
    assert "| base | Accuracy Zh | 68.10 | \\[66.00, 68.50\\] | 69.02 | −0.92 | **outside by 0.52** |" in text

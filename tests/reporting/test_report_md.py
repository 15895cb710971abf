"""`report.md`: the answer first, every sentence complete, and nothing marked that no test has shown."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from simulated_run import simulate

from lensbench.records import RunFolder
from lensbench.reporting.answer import answer_of
from lensbench.reporting.run_view import RunView
from lensbench.stages.results import write_results


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    folder = simulate(
        tmp_path_factory.mktemp("md") / "run",
        items=60,
        variants=("base", "lens", "xsft"),
        languages=("en", "zh", "sw"),
        tasks=("xcopa", "mt_bench"),
    )
    write_results(folder)
    return folder


def report(run: RunFolder) -> str:
    return (run.path / "report.md").read_text(encoding="utf-8")


def test_it_opens_with_the_sentences_that_every_view_says(run: RunFolder) -> None:
    text = report(run)
    answer = answer_of(RunView.of(run))
    places = [text.index(f"- {one.whole}\n") for _, said in answer.questions for one in said]
    assert places == sorted(places) and len(places) >= 8 and places[-1] < text.index("## Averages") < text.index("## Cells")
    assert text.index("**! ") < places[0]


def test_a_sentence_of_a_variant_names_it_and_its_metric(run: RunFolder) -> None:
    first = report(run).split("Difference to base")[0]
    for question in ("Did it help?", "Did English suffer?"):
        lines = re.search(rf"\*\*{re.escape(question)}\*\*\n\n((?:- .*\n)+)", first)
        assert lines is not None
        for line in lines[1].splitlines():
            assert re.match(r"- (?:(?:lens|xsft): |The margin is )", line)
            assert "accuracy" in line or "language" in line or "rating" in line


def test_signatures_stand_in_the_results_only(run: RunFolder) -> None:
    text = report(run)
    content = json.loads((run.path / "results.json").read_text(encoding="utf-8"))
    signatures = [entry["signature"] for entry in (*content["cells"], *content["averages"])]
    assert signatures and all(signatures) and not any(signature in text for signature in signatures)


def rows(text: str, heading: str) -> list[list[str]]:
    part = text.split(heading, 1)[1].split("\n\n- ")[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in part.splitlines() if line.startswith("| ")]


def test_cells_have_no_verdict_and_bold_is_for_leaders(run: RunFolder) -> None:
    text = report(run)
    header, _, *table = rows(text, "\n## Cells\n")
    assert "verdict" not in header and not any(mark in cell for row in table for cell in row for mark in "▲▼≈≠")
    cells = json.loads((run.path / "results.json").read_text(encoding="utf-8"))["cells"]
    by_value = {f"{100 * cell['value']:.1f}": "all" in cell["leads"] for cell in cells if cell["metric"] == "acc"}
    for row in table:
        if row[header.index("metric")] == "accuracy":
            value = row[header.index("value")]
            assert value.startswith("**") == by_value[value.strip("*")]


def test_names_of_strangers_stay_in_their_cells(tmp_path: Path) -> None:
    folder = simulate(tmp_path / "run", items=6, variants=("base", "lens"), languages=("en", "zh"), tasks=("xcopa",))
    about = folder.read_json("variants.json")
    for facts in about["tasks"].values():
        facts["title"] = "a | b <img>\nc"
    folder.write_json("variants.json", about)
    write_results(folder)
    header, rule, *table = [
        line for line in report(folder).split("\n## Cells\n")[1].split("\n- ")[0].splitlines() if line.startswith("| ")
    ]
    assert table and all(len(re.findall(r"(?<!\\)\|", line)) == len(re.findall(r"\|", header)) for line in table)
    assert "<img>" not in report(folder).split("## Made with")[0] and len(rule) > 0

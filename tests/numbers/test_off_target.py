"""Counts beside fidelity, from records made by hand, and from a run of an older version."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from judged_run import build_run

from lensbench.numbers.degenerate import degenerate_counts
from lensbench.numbers.off_target import OffTarget, off_target_counts
from lensbench.numbers.results import collect_results
from lensbench.numbers.run_results import read_results
from lensbench.records import IdentifiedTurn, RunFolder
from lensbench.reporting.text.fidelity import counts_table, identified_text

OLD = Path(__file__).parents[1] / "support" / "old_run" / "judged"
LOOP = "I do not know the answer. " * 6


def rewrite(folder: RunFolder, change: Any) -> None:
    path = folder.path / "items" / "answers.jsonl"
    records = [change(json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
    path.write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records), encoding="utf-8")


def label(folder: RunFolder, turns: list[tuple[int, str | None, float | None]], **fields: Any) -> None:
    with folder.log("identified") as log:
        log.append(
            {
                "key": f"k{number}{fields.get('identifier', '')}",
                "item": f"mt_bench-zh-{number}",
                "task": "mt_bench",
                "language": "zh",
                "profile": "mt-bench",
                "variant": "base",
                "state": "ok",
                "identifier": "lid176:1@0.2",
                "metrics": {},
                "turns": [
                    {
                        "answer": f"mt_bench-zh-{number}-base-1",
                        "turn": 1,
                        "label": found,
                        "probability": p,
                        "cell": "x",
                        "lines": [],
                    }
                ],
                **fields,
            }
            for number, found, p in turns
        )


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return build_run(tmp_path / "run", items=4, languages=("zh",), awkward=False)


def test_repetitive_and_cut_answers_are_counted(folder: RunFolder) -> None:
    def change(record: dict[str, Any]) -> dict[str, Any]:
        number = int(record["item"].rsplit("-", 1)[1])
        if record["variant"] != "base":
            return record
        texts = {0: LOOP, 1: f"<think>{LOOP}</think>Short.", 2: f"<think>{LOOP}", 3: ""}
        return {
            **record,
            "text": texts[number],
            "finish": "length" if number < 3 else "stop",
            "state": "ok" if number < 3 else "empty",
        }

    rewrite(folder, change)
    found = {counts.variant: counts for counts in degenerate_counts(folder)}
    # Two turns each: the third question has only reasoning, which is no answer.
    assert (found["base"].answers, found["base"].degenerate, found["base"].cut) == (6, 2, 4)
    assert (found["lens"].answers, found["lens"].degenerate, found["lens"].cut) == (8, 0, 0)


def test_labels_are_counted_by_what_they_say(folder: RunFolder) -> None:
    rewrite(folder, lambda r: {**r, "text": "这条河流进大海。" if r["item"].endswith(("0", "1")) else "It runs into the sea."})
    label(folder, [(0, "zh", 0.9), (1, "ja", 0.2), (2, "en", 0.9), (3, "en", 0.19)])
    (found,) = off_target_counts(folder)
    assert (found.answers, found.on_target, found.off_target, found.unknown) == (4, 1, 2, 1)
    assert found.off_target_in_script == 1 and found.share_in_script == 0.5
    # Without a floor, as older versions wrote it, the last label is one of English; another style has labels of no language.
    label(folder, [(0, "zh", 0.9), (1, "ja", 0.2), (2, "en", 0.9), (3, "en", 0.19)], identifier="lid176:1")
    label(folder, [(0, "cmn_Hani", 0.9), (1, "und_Hani", 0.9), (2, None, None)], identifier="glotlid:1@0.2")
    label(folder, [(3, "eng_Latn", 0.9)], identifier="glotlid:1@0.2", state="not_covered")
    by = {counts.identifier: counts for counts in off_target_counts(folder)}
    assert (by["lid176:1"].off_target, by["lid176:1"].unknown) == (3, 0)
    other = by["glotlid:1@0.2"]
    assert (other.answers, other.on_target, other.unknown, other.empty) == (3, 1, 1, 1) and other.share_in_script is None


def test_a_text_that_is_gone_was_in_no_known_script(folder: RunFolder) -> None:
    label(folder, [(0, "en", 0.9)])
    (folder.path / "items" / "answers.jsonl").write_text("")
    (found,) = off_target_counts(folder)
    assert (found.off_target, found.off_target_in_script, found.share_in_script) == (1, None, None)


def test_an_old_run_has_counts_and_old_results_have_none(tmp_path: Path) -> None:
    old = RunFolder.existing(Path(shutil.copytree(OLD, tmp_path / "old")))
    content = json.loads(json.dumps(collect_results(old)))
    results = read_results(content)
    assert results.off_target and all(one.grader.floor == 0 for one in results.off_target)
    assert all(one.answers == one.on_target + one.off_target + one.unknown + one.empty for one in results.off_target)
    assert [one.as_dict() for one in results.off_target] == content["off_target"]
    assert {one.variant for one in results.degenerate} == {one.variant for one in results.off_target}
    stored = json.loads((old.path / "results.json").read_text(encoding="utf-8"))
    assert "off_target" not in stored
    assert read_results(stored).off_target == read_results(stored).degenerate == ()


def test_the_table_of_counts() -> None:
    zh = OffTarget("t", "zh", "base", "lid176:1@0.2", 10, 5, 3, 1, 1, 2, 4)
    header, (row, latin) = counts_table([zh, OffTarget("t", "sw", "base", "lid176:1@0.2", 1, 0, 1, 0, 0, 1, 0)], ())
    assert dict(zip(header, row, strict=True)) == {
        "task": "t",
        "lang": "zh",
        "variant": "base",
        "answers": "10",
        "in the language": "5",
        "of these repetitive": "4",
        "in another": "3",
        "of these in the script": "2",
        "unknown": "1",
        "empty": "1",
        "repetitive": "–",
        "cut by length": "–",
    }
    assert latin[header.index("of these in the script")] == "–", "English is in Latin script too"


@pytest.mark.parametrize(
    ("found", "cell", "probability", "text"),
    [
        ("zh", "zh", 0.974, "zh (0.97)"),
        ("en", "unknown", 0.12, "unknown (en at 0.12)"),
        ("en", "en", None, "en"),
        (None, "empty", None, "empty"),
    ],
)
def test_the_language_of_one_answer(found: str | None, cell: str, probability: float | None, text: str) -> None:
    assert identified_text(IdentifiedTurn(answer="a", turn=1, label=found, probability=probability, cell=cell, lines=[])) == text
    assert identified_text(None) == "empty"

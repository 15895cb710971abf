"""What a model thought and what it answered: marks, templates, states, and what is measured of an answer with reasoning."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from judged_run import build_run

from lensbench.grading.fidelity import answered_cell, line_cells, load_identifier
from lensbench.numbers.read_metrics import read_metrics
from lensbench.reasoning import opens_reasoning, split_reasoning
from lensbench.records import AnswerRecord, RunFolder
from lensbench.records.reader import read_record
from lensbench.reporting.text.answers import answer_lines
from lensbench.stages.identify import identify_stage

HARMONY = "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>Jibu.<|return|>"
SWAHILI = "Nairobi ni mji mkuu wa Kenya na ni mji mkubwa zaidi nchini humo."
THOUGHT = "Okay, the user asks about a capital. Let me recall the facts before I answer in the language of the question."


@pytest.mark.parametrize(
    ("text", "reasoning", "answer", "closed"),
    [
        ("<think>Hm.</think>\n\nJibu.", "Hm.", "Jibu.", True),
        ("<think>\n\n</think>\n\nJibu.", "", "Jibu.", True),
        ("<thinking>Hm.</thinking>Jibu.", "Hm.", "Jibu.", True),
        ("<reasoning lang='en'>Hm.</reasoning> Jibu.", "Hm.", "Jibu.", True),
        ("<Thought>Hm.</Thought> Jibu.", "Hm.", "Jibu.", True),
        ("[THINK]Hm.[/THINK]Jibu.", "Hm.", "Jibu.", True),
        ("<|START_THINKING|>Hm.<|END_THINKING|><|START_RESPONSE|>Jibu.<|END_RESPONSE|>", "Hm.", "Jibu.", True),
        ("<|begin_of_thought|>Hm.<|end_of_thought|><|begin_of_solution|>Jibu.<|end_of_solution|>", "Hm.", "Jibu.", True),
        ("◁think▷Hm.◁/think▷Jibu.", "Hm.", "Jibu.", True),
        (HARMONY, "Hm.", "Jibu.", True),
        ("analysisThe user asks.assistantfinalJibu.", "The user asks.", "Jibu.", True),
        ("<|channel>thought\nHm.<channel|>Jibu.", "Hm.", "Jibu.", True),
        ("Hm.</think>Jibu.", "Hm.", "Jibu.", True),
        ("<think>Hm.", "Hm.", "", False),
        ("<think>Hm. <think>Again.</think>Jibu.", "Hm. <think>Again.", "Jibu.", True),
        ("<think>a</think>b</think>Jibu.", "ab", "Jibu.", True),
        ("Kwanza. <think>Hm.</think> Jibu.", "Hm.", "Kwanza.  Jibu.", True),
        # No reasoning: a mark that is quoted, a word, another tag; not a character is changed.
        (" Use the `<think>` tag.\n", "", " Use the `<think>` tag.\n", True),
        ("I think so </b>", "", "I think so </b>", True),
        ("analysis of the poem", "", "analysis of the poem", True),
        ("Analysis: it is good.", "", "Analysis: it is good.", True),
        ("", "", "", True),
    ],
)
def test_splitting(text: str, reasoning: str, answer: str, closed: bool) -> None:
    found = split_reasoning(text)
    assert (found.reasoning, found.answer, found.closed) == (reasoning, answer, closed)


@pytest.mark.parametrize(
    ("prompt", "opens"),
    [
        ("...<|im_start|>assistant\n<think>\n", True),
        ("<｜Assistant｜><think>", True),
        ("...assistant\n<think>\n\n</think>\n\n", False),
        ("...assistant\n", False),
        ("What is <think>?<|assistant|>", False),
        ("<|start|>assistant<|channel|>analysis<|message|>", True),
    ],
)
def test_templates_that_open_the_reasoning_themselves(prompt: str, opens: bool) -> None:
    assert opens_reasoning(prompt) is opens


def test_a_text_that_begins_inside_reasoning() -> None:
    parts = split_reasoning(f"{THOUGHT}</think>{SWAHILI}", opened=True)
    assert parts.found and parts.answer == SWAHILI
    assert split_reasoning(THOUGHT, opened=True).only_reasoning
    assert not split_reasoning(SWAHILI).found


@pytest.mark.parametrize(
    ("record", "state"),
    [
        ({"state": "ok", "text": SWAHILI}, "ok"),
        ({"state": "ok", "text": f"<think>{THOUGHT}</think>{SWAHILI}"}, "ok"),
        ({"state": "ok", "text": f"<think>{THOUGHT}</think>\n"}, "empty"),
        ({"state": "ok", "text": f"<think>{THOUGHT}"}, "only_reasoning"),
        ({"state": "ok", "text": THOUGHT, "reasoning_opened": True}, "only_reasoning"),
        ({"state": "empty", "text": " "}, "empty"),
        ({"state": "no_room", "text": ""}, "no_room"),
        ({"state": "one_of_a_later_version", "text": ""}, "one_of_a_later_version"),
    ],
)
def test_states(record: dict[str, Any], state: str) -> None:
    place = dict.fromkeys(("key", "task", "language", "profile", "item", "variant"), "x")
    assert read_record(AnswerRecord, {**place, "turn": 1, **record}).answer_state == state


@pytest.mark.parametrize(
    "piece", ["<think>", "</think>", "<think", "`<think>`", "[THINK", "<|channel|>analysis", "analysis", "<"]
)
def test_splitting_is_linear(piece: str) -> None:
    started = time.perf_counter()
    split_reasoning(piece * 40_000)
    assert time.perf_counter() - started < 2


def write_answers(folder: RunFolder, change: Any) -> None:
    path = folder.path / "items" / "answers.jsonl"
    records = [change(json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
    path.write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records), encoding="utf-8")


def test_only_the_answer_is_identified_and_other_states_are_in_no_mean(tmp_path: Path) -> None:
    folder = build_run(tmp_path / "run", items=4, languages=("sw",), awkward=False)
    identifier = load_identifier("lid176")

    def change(record: dict[str, Any]) -> dict[str, Any]:
        number, first = int(record["item"].rsplit("-", 1)[1]), record["turn"] == 1
        text, state = SWAHILI, "ok"
        if number == 1:
            text = f"<think>{THOUGHT}</think>{SWAHILI}"
        if number == 2 and first:
            text = f"<think>{THOUGHT}"
        if number == 3 and not first:
            text, state = "", "truncated"
        return {**record, "text": text, "state": state}

    write_answers(folder, change)
    with folder.log("identified") as log:
        assert identify_stage(folder, identifier, log) == 8
        assert identify_stage(folder, identifier, log) == 0
    columns = {c.metric.name: c for c in read_metrics(folder) if c.variant == "base" and c.grader == identifier.signature}
    item = {n: f"mt_bench-sw-{n}" for n in range(4)}
    assert columns["lf_turn1"].values == {(item[0], 0): 1.0, (item[1], 0): 1.0, (item[3], 0): 1.0}
    assert dict(columns["lf_turn1"].states) == {"ok": 3, "only_reasoning": 1}
    assert columns["lf_turn2"].values == {(item[0], 0): 1.0, (item[1], 0): 1.0, (item[2], 0): 1.0}
    assert dict(columns["lf_turn2"].states) == {"ok": 3, "truncated": 1}
    assert columns["lf_question_concat"].values == {(item[0], 0): 1.0, (item[1], 0): 1.0}
    assert columns["lf_question_concat"].failures == 2


def test_a_label_of_the_whole_text_is_not_taken_for_one_of_the_answer(tmp_path: Path) -> None:
    """Records of before: English, of the reasoning. The same key must not keep the answer from being identified."""
    folder = build_run(tmp_path / "run", items=2, languages=("sw",), awkward=False)
    identifier = load_identifier("lid176")
    with folder.log("identified") as log:
        identify_stage(folder, identifier, log)
    write_answers(folder, lambda record: {**record, "text": f"<think>{THOUGHT}</think>{SWAHILI}"})
    with folder.log("identified") as log:
        assert identify_stage(folder, identifier, log) == 4
    (column,) = [c for c in read_metrics(folder) if c.variant == "base" and c.metric.name == "lf_turn1"]
    assert set(column.values.values()) == {1.0}


def test_the_report_shows_both(tmp_path: Path) -> None:
    folder = build_run(tmp_path / "run", items=1, languages=("sw",), awkward=False)
    write_answers(folder, lambda record: {**record, "text": f"<think>{THOUGHT}</think>{SWAHILI}"})
    lines = answer_lines(folder, ["base", "lens"])
    assert f"reasoning, {len(THOUGHT)} characters, not measured:" in lines
    assert f"    {THOUGHT}" in lines and f"    {SWAHILI}" in lines


@pytest.mark.parametrize(("code", "answer"), [("sw", SWAHILI), ("zh", "北京是中华人民共和国的首都。")])
def test_every_reader_of_answers_passes_over_reasoning(code: str, answer: str) -> None:
    identifier = load_identifier("lid176")
    text = f"<think>\n{THOUGHT}\n</think>\n\n{answer}"
    assert identifier.identify(text) == identifier.identify(answer) and identifier.identify(answer).label == code
    assert answered_cell(text, identifier) == code and line_cells(text, identifier) == [code]
    assert identifier.identify(f"<think>{THOUGHT}").label is None

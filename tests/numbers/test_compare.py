"""`lensbench compare`: counts by hand, pairs by row, and a reason for everything that is left out."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Cli
from scipy import stats
from scored_run import write_run
from simulated_run import simulate
from statsmodels.stats.multitest import multipletests

from lensbench.errors import UsageError
from lensbench.numbers.compare import Comparison, NotCompared, compare
from lensbench.records import RunFolder

BEFORE = [1, 1, 1, 1, 0, 0, 0, 0, 0, np.nan]
AFTER = [1, 1, 0, 1, 1, 1, 1, 1, np.nan, 1]


@pytest.fixture
def before(tmp_path: Path) -> RunFolder:
    return write_run(
        tmp_path / "before",
        {("xcopa/zh", "base"): np.array(BEFORE), ("xwinograd/zh", "base"): np.ones(6)},
        declared=("base", "lens", "xsft"),
    )


@pytest.fixture
def after(tmp_path: Path) -> RunFolder:
    return write_run(
        tmp_path / "after",
        {("xcopa/zh", "base"): np.array(AFTER), ("xwinograd/zh", "base"): np.zeros(6)},
        declared=("base", "lens", "xsft"),
    )


def rewrite(run: RunFolder, stage: str, change: Any) -> None:
    path = run.path / "items" / f"{stage}.jsonl"
    rows = [change(json.loads(line)) for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows if row is not None))


def about(run: RunFolder, **changes: Any) -> None:
    content = run.read_json("variants.json")
    for cell, fields in changes.items():
        content["tasks"][cell.replace("__", "/")].update(fields)
    run.write_json("variants.json", content)


def gaps(found: Comparison) -> dict[str, str]:
    return {f"{gap.task}/{gap.language} {gap.what}".strip(" /"): gap.reason for gap in found.gaps}


def test_counts_by_hand(before: RunFolder, after: RunFolder) -> None:
    found = compare(before, after, "base", "base")
    cell, other = found.cells
    # Items 0 to 7 have a score on both sides; 4 to 7 became right, 2 became wrong.
    assert (cell.n, cell.only_a, cell.only_b, cell.clusters) == (8, 1, 1, 8)
    assert (cell.fixed, cell.broken, cell.both_right, cell.both_wrong, cell.equal) == (4, 1, 3, 0, 3)
    assert (cell.value_a, cell.value_b, cell.delta) == (4 / 8, 7 / 8, pytest.approx(3 / 8))
    assert cell.p_value == pytest.approx(stats.binomtest(1, 5).pvalue)
    assert (other.fixed, other.broken, other.delta, other.p_value) == (0, 6, -1, pytest.approx(2 / 2**6))
    assert [cell.p_holm, other.p_holm] == pytest.approx(multipletests([cell.p_value, other.p_value], method="holm")[1])
    assert cell.delta_low < cell.delta < cell.delta_high and cell.smallest_detectable is not None
    assert found.gaps == []


def test_the_other_way_round_is_the_negative(before: RunFolder, after: RunFolder) -> None:
    there, back = compare(before, after, "base").cells[0], compare(after, before, "base").cells[0]
    assert (there.delta, there.fixed, there.only_a) == (-back.delta, back.broken, back.only_b)
    assert there.delta_low == pytest.approx(-back.delta_high) and there.p_value == back.p_value


def test_items_are_paired_by_row_not_by_id_or_order(before: RunFolder, after: RunFolder) -> None:
    expected = compare(before, after, "base", "base").cells
    for run, letter in ((before, "a"), (after, "b")):
        # Another chat template gives other ids to the same rows.
        rewrite(run, "items", lambda r, x=letter: {**r, "row": f"content {r['key']}", "key": x + r["key"]})
        rewrite(run, "score", lambda r, x=letter: {**r, "item": x + r["item"]})
    path = after.path / "items" / "score.jsonl"
    path.write_text("".join(reversed(path.read_text().splitlines(keepends=True))))
    assert compare(before, after, "base", "base").cells == expected
    rewrite(after, "items", lambda r: {**r, "row": f"{r['row']} changed"} if r["doc_id"] == 3 else r)
    cell = compare(before, after, "base", "base").cells[0]
    assert (cell.n, cell.only_a, cell.only_b) == (7, 2, 2)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"profile": "lm-eval"}, "unlike profiles: p and lm-eval"),
        ({"protocol": "other"}, "asked in unlike ways under profile p: protocol hxcopa/zh and other"),
        ({"rows": "hub:xcopa:2"}, "other rows: local:xcopa/zh:1 and hub:xcopa:2"),
    ],
)
def test_what_is_unlike_is_listed_and_not_compared(
    before: RunFolder, after: RunFolder, changes: dict[str, str], reason: str
) -> None:
    about(after, xcopa__zh=changes)
    found = compare(before, after, "base", "base")
    assert [cell.task for cell in found.cells] == ["xwinograd"]
    assert gaps(found) == {"xcopa/zh": reason}


def test_the_same_rows_from_elsewhere_are_compared(before: RunFolder, after: RunFolder) -> None:
    about(after, xcopa__zh={"rows": "hub:xcopa:1"})
    assert len(compare(before, after, "base", "base").cells) == 2


def test_what_only_one_run_has_is_listed(before: RunFolder, after: RunFolder, tmp_path: Path) -> None:
    third = write_run(
        tmp_path / "third",
        {("xcopa/sw", "base"): np.ones(3), ("xcopa/zh", "lens"): np.ones(10)},
        declared=("base", "lens", "xsft"),
    )
    found = compare(before, third)
    assert found.cells == [] and ("base", "base") in found.pairs
    listed = gaps(found)
    assert listed["xcopa/sw"] == "only RUN_B has it" and listed["xwinograd/zh"] == "only RUN_A has it"
    assert {g.reason for g in found.gaps if g.what == "acc"} == {
        f"RUN_{r} has not got it for {v}" for r, v in (("B", "base"), ("A", "lens"))
    }
    content = third.read_json("variants.json")
    content["variants"]["mine"] = content["variants"].pop("xsft")
    third.write_json("variants.json", content)
    listed = gaps(compare(before, third))
    assert "only RUN_A has one" in listed["variant xsft"] and "only RUN_B has one" in listed["variant mine"]


def test_no_item_in_common_is_said(before: RunFolder, after: RunFolder) -> None:
    rewrite(before, "score", lambda r: r if r["item"] in ("xcopa/zh/0", "xcopa/zh/1") else None)
    rewrite(after, "score", lambda r: r if r["item"] in ("xcopa/zh/2", "xcopa/zh/3") else None)
    found = compare(before, after, "base", "base")
    assert found.cells == [] and gaps(found)["xcopa/zh acc"] == "no item with a score in both (base, base)"
    assert gaps(found)["xwinograd/zh"] == "nothing scored of base in RUN_A, nor of base in RUN_B"


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    home = tmp_path_factory.mktemp("judged") / "run"
    return simulate(home, items=24, variants=("base", "lens"), languages=("en", "zh"), tasks=("m_mmlu", "mt_bench"))


def test_ratings_and_languages_of_a_whole_run(judged: RunFolder) -> None:
    found = compare(judged, judged, "base", "lens")
    assert {(c.task, c.metric, c.unit) for c in found.cells} == {
        ("m_mmlu", "acc", "share"),
        ("mt_bench", "lf_response", "share"),
        ("mt_bench", "rating", "rating"),
    }
    for cell in found.cells:
        if cell.unit == "rating":
            assert (cell.both_right, cell.both_wrong, cell.test) == (None, None, "sign-flip")
            # Two turns of a question are one cluster.
            assert cell.clusters <= 24 < cell.n
        else:
            assert cell.fixed + cell.broken + cell.both_right + cell.both_wrong == cell.n
        assert cell.fixed + cell.broken + cell.equal == cell.n


def test_equals_the_cells_of_the_run_itself(judged: RunFolder) -> None:
    from lensbench.numbers.summarise import summarise

    cells = {(c.task, c.language, c.metric): c for c in summarise(judged) if c.variant == "lens" and c.p_value is not None}
    for found in compare(judged, judged, "base", "lens").cells:
        cell = cells[found.task, found.language, found.metric]
        assert (found.delta, found.p_value) == pytest.approx((cell.delta, cell.p_value))
        assert (found.delta_low, found.delta_high) == pytest.approx((cell.delta_low, cell.delta_high))


def test_other_judges_and_identifiers_are_named(judged: RunFolder, tmp_path: Path) -> None:
    shutil.copytree(judged.path, tmp_path / "copy")
    copy = RunFolder(tmp_path / "copy")
    rewrite(copy, "verdicts", lambda r: {**r, "judge": "kind:m:1"})
    rewrite(copy, "identified", lambda r: {**r, "identifier": "glotlid:1"})
    found = compare(judged, copy, "lens")
    assert {cell.metric for cell in found.cells} == {"acc"}
    listed = gaps(found)
    assert listed["mt_bench/zh rating by strict:m:8644bce2"] == "other judge: RUN_B has rating by kind:m:1 for lens"
    assert listed["mt_bench/zh rating by kind:m:1"] == "other judge: RUN_A has rating by strict:m:8644bce2 for lens"
    assert listed["mt_bench/en lf_response by glotlid:1"].startswith("other identifier: RUN_A has lf_response by lid176:")


def test_wrong_names(judged: RunFolder, before: RunFolder) -> None:
    with pytest.raises(UsageError, match=r"unknown variant of RUN_B 'lense'\s+Did you mean 'lens'"):
        compare(judged, judged, "base", "lense")
    with pytest.raises(UsageError, match="same variant of the same run"):
        compare(judged, judged)
    content = before.read_json("variants.json")
    before.write_json("variants.json", {**content, "variants": {"other": content["variants"]["base"]}})
    with pytest.raises(UsageError, match="no variant of the same name"):
        compare(before, judged)


def test_the_command(judged: RunFolder, tmp_path: Path, cli: Cli) -> None:
    done = cli("compare", judged.path, judged.path, "--variant", "base", "--with", "lens")
    assert done.returncode == 0, done.stderr
    assert "both wrong" in done.stdout and "judge's rating" in done.stdout and "Holm" in done.stdout
    done = cli("compare", judged.path, judged.path, "--variant", "base", "--with", "lens", "--json")
    found = json.loads(done.stdout)
    assert found["pairs"] == [["base", "lens"]] and found["run_a"]["backbone"] == "simulated" and found["not_compared"] == []
    assert {"fixed", "broken", "p_holm", "delta_low"} <= found["cells"][0].keys()
    other = simulate(tmp_path / "other", items=2, variants=("base",), languages=("en",), tasks=("xcopa",))
    done = cli("compare", judged.path, other.path)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert (
        "nothing in these two runs can be compared" in done.stderr and "not compared: m_mmlu/en: only RUN_A has it" in done.stdout
    )
    done = cli("compare", judged.path, judged.path, "--variant", "bsae")
    assert done.returncode == 2 and "Did you mean 'base'" in done.stderr
    done = cli("compare", judged.path, judged.path.parent)
    assert done.returncode == 2 and "no run at" in done.stderr


def test_a_gap_is_listed_once_for_many_variants(judged: RunFolder, before: RunFolder) -> None:
    found = compare(judged, before)
    assert len(found.gaps) == len(set(found.gaps)) and NotCompared("m_mmlu", "en", "", "only RUN_A has it") in found.gaps

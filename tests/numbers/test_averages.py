"""Tests, families, averages and verdicts of a run, from hand-made records: against hand calculation and statsmodels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats
from scored_run import VARIANTS, write_run

from lensbench.datasets.rows import load_rows_spec
from lensbench.numbers.results import collect_results
from lensbench.numbers.run_results import read_results
from lensbench.numbers.summarise import Summary, summary
from lensbench.numbers.verdict import make_verdict
from lensbench.records import RunFolder
from lensbench.reporting.text.result_tables import averages_tables
from lensbench.reporting.text.table import notes, table_lines

ITEMS = {"xcopa/en": 40, "xcopa/zh": 40, "xcopa/sw": 30, "xwinograd/zh": 60, "xwinograd/sw": 20}


def drawn(seed: int = 1) -> dict[tuple[str, str], np.ndarray]:
    """0/1 scores that agree across languages, as translations of one item do."""
    rng = np.random.default_rng(seed)
    shift = {"base": 0.0, "lens": 0.6, "xsft": 0.1}
    hard = {task: rng.normal(0, 1, 60) for task in ("xcopa", "xwinograd")}
    gain = rng.normal(0, 1, 60)
    found = {}
    for cell, n in ITEMS.items():
        for variant, more in shift.items():
            easier = rng.normal(0, 0.5, n) + more + (gain[:n] if more else 0)
            found[cell, variant] = (hard[cell.partition("/")[0]][:n] < easier).astype(float)
    return found


@pytest.fixture(scope="module")
def scores() -> dict[tuple[str, str], np.ndarray]:
    return drawn()


@pytest.fixture(scope="module")
def found(scores: dict[tuple[str, str], np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Summary:
    return summary(write_run(tmp_path_factory.mktemp("run"), scores))


def average(found: Summary, over: str, variant: str, *, task: str | None = None, language: str | None = None) -> Any:
    (one,) = [a for a in found.averages if (a.over, a.variant, a.task, a.language) == (over, variant, task, language)]
    return one


# --- cells


def test_a_cell_has_its_own_test_and_no_verdict(found: Summary, scores: dict) -> None:
    for variant in ("lens", "xsft"):
        own = [cell for cell in found.cells if cell.variant == variant]
        assert len(own) == 5
        for cell in own:
            key = f"{cell.task}/{cell.language}"
            difference = scores[key, variant] - scores[key, "base"]
            wins, losses = int((difference > 0).sum()), int((difference < 0).sum())
            assert cell.p_value == pytest.approx(stats.binomtest(wins, wins + losses).pvalue)
            assert (cell.test, cell.clusters, cell.verdict) == ("mcnemar", ITEMS[key], "exploratory")
    for cell in found.cells:
        if cell.variant == "base":
            assert (cell.test, cell.p_value, cell.verdict, cell.smallest_detectable) == (None,) * 4


def test_what_a_cell_detects_does_not_depend_on_the_others(found: Summary, scores: dict, tmp_path: Path) -> None:
    one = {key: values for key, values in scores.items() if key[0] == "xwinograd/zh"}
    (alone,) = [cell for cell in summary(write_run(tmp_path, one)).cells if cell.variant == "lens"]
    (among,) = [c for c in found.cells if (c.task, c.language, c.variant) == ("xwinograd", "zh", "lens")]
    assert (alone.p_value, alone.smallest_detectable) == (among.p_value, among.smallest_detectable)
    # Normal approximation: 2.8 standard errors under the null.
    share = float(np.mean(scores["xwinograd/zh", "lens"] != scores["xwinograd/zh", "base"]))
    assert alone.smallest_detectable == pytest.approx(2.80 * (share / 60) ** 0.5, rel=0.05)


def test_a_blind_guess_is_named_where_choices_are_scored(found: Summary) -> None:
    # Hand-made records have two choices each.
    assert {cell.chance for cell in found.cells} == {0.5}


def test_an_item_in_two_rows_is_one_cluster(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    rng = np.random.default_rng(3)
    once = {("xcopa/zh", v): (rng.random(30) < 0.5).astype(float) for v in ("base", "lens")}
    run = write_run(tmp_path / "a", {key: np.tile(values, 2) for key, values in once.items()})
    path = run.path / "items" / "items.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps({**row, "source": f"xcopa/test/{row['doc_id'] % 30}"}) + "\n" for row in rows))
    (cell,) = [c for c in summary(run).cells if c.variant == "lens"]
    (single,) = [c for c in summary(write_run(tmp_path / "b", once)).cells if c.variant == "lens"]
    assert (cell.test, cell.clusters, cell.n) == ("sign-flip", 30, 60) and single.test == "mcnemar"
    assert cell.p_value == pytest.approx(single.p_value, abs=0.02)
    # The copy of an item adds nothing: the interval is about that of the items once, and no narrower.
    assert (cell.delta_low, cell.delta_high) == pytest.approx((single.delta_low, single.delta_high), abs=0.02)
    assert cell.delta_high - cell.delta_low >= single.delta_high - single.delta_low


@pytest.mark.parametrize(
    ("p_holm", "low", "high", "expected"),
    [
        (0.01, 0.1, 0.3, "better"),
        (0.01, -0.3, -0.1, "worse"),
        (0.06, 0.1, 0.3, "not distinguishable"),
        (0.01, -0.1, 0.3, "not distinguishable"),
        (0.01, None, None, "not distinguishable"),
        (None, 0.1, 0.3, ""),
    ],
)
def test_a_verdict_needs_test_and_interval(p_holm: float | None, low: float | None, high: float | None, expected: str) -> None:
    assert (make_verdict(p_holm, low, high, True) or "") == expected


# --- averages


def test_over_tasks(found: Summary, scores: dict) -> None:
    one = average(found, "tasks", "lens", language="zh")
    cells = ("xcopa/zh", "xwinograd/zh")
    assert one.cells == cells and (one.n, one.clusters) == (100, 100)
    # Tasks count alike, although one has 40 items and the other 60.
    assert one.value == pytest.approx(np.mean([scores[cell, "lens"].mean() for cell in cells]))
    deltas = [scores[cell, "lens"] - scores[cell, "base"] for cell in cells]
    assert one.delta == pytest.approx(np.mean([d.mean() for d in deltas]))
    # Independent tasks: variances of the means add up.
    error = sum(d.var() / len(d) for d in deltas) ** 0.5 / 2
    # The normal interval, and no more than a tenth wider for what so few items do not tell.
    assert 1 <= (one.delta_high - one.delta_low) / (2 * 1.96 * error) <= 1.1
    (english,) = [a for a in found.averages if a.language == "en" and a.variant == "lens"]
    assert (english.role, english.over, english.cells) == ("english", "cell", ("xcopa/en",))


def test_over_languages_an_item_is_one_cluster_and_english_is_left_out(found: Summary, scores: dict) -> None:
    one = average(found, "languages", "lens", task="xcopa")
    assert one.cells == ("xcopa/zh", "xcopa/sw") and (one.n, one.clusters, one.unnamed) == (70, 40, 0)
    deltas = [scores[cell, "lens"] - scores[cell, "base"] for cell in one.cells]
    assert one.delta == pytest.approx((deltas[0].mean() + deltas[1].mean()) / 2)
    language = np.repeat([0, 1], [40, 30])
    source = np.concatenate([np.arange(40), np.arange(30)])
    fit = sm.OLS(np.concatenate(deltas), np.eye(2)[language]).fit(
        cov_type="cluster", cov_kwds={"groups": source, "use_correction": False}
    )
    error = float(np.sqrt(fit.cov_params().sum() / 4))
    apart = sum(d.var() / len(d) for d in deltas) ** 0.5 / 2
    assert 1 <= (one.delta_high - one.delta_low) / (2 * 1.96 * error) <= 1.1
    assert error > 1.1 * apart, "translations that do not agree would test nothing"


def test_without_source_items_each_row_is_its_own_and_that_is_said(scores: dict, found: Summary, tmp_path: Path) -> None:
    run = write_run(tmp_path, scores, named=())
    run.write_json("provenance.json", {"starts": []})
    bare = average(summary(run), "languages", "lens", task="xcopa")
    named = average(found, "languages", "lens", task="xcopa")
    assert (bare.clusters, bare.unnamed, bare.value, bare.delta) == (70, 70, named.value, named.delta)
    assert bare.delta_high - bare.delta_low < named.delta_high - named.delta_low
    results = collect_results(run)
    assert results["unnamed"] == ITEMS
    (note,) = [note for note in notes(read_results(results)) if "without a source item" in note]
    assert "xcopa (70)" in note and "xwinograd (80)" in note
    wide = average(found, "languages", "lens", task="xwinograd")
    assert (wide.clusters, wide.unnamed) == (80, 80)


def test_over_both_languages_count_alike(found: Summary, scores: dict) -> None:
    one = average(found, "tasks and languages", "xsft")
    tasks = ("xcopa", "xwinograd")
    per_language = [np.mean([scores[f"{task}/{code}", "xsft"].mean() for task in tasks]) for code in ("zh", "sw")]
    assert one.value == pytest.approx(np.mean(per_language)) and len(one.cells) == 4


def test_languages_with_fewer_tasks_do_not_weigh_less(scores: dict, tmp_path: Path) -> None:
    some = {key: values for key, values in scores.items() if key[0] != "xcopa/sw"}
    one = average(summary(write_run(tmp_path, some)), "tasks and languages", "lens")
    zh = np.mean([some[f"{task}/zh", "lens"].mean() for task in ("xcopa", "xwinograd")])
    assert one.value == pytest.approx((zh + some["xwinograd/sw", "lens"].mean()) / 2)


def test_an_average_is_never_taken_over_fewer_cells(scores: dict, tmp_path: Path) -> None:
    some = {key: values for key, values in scores.items() if key != ("xcopa/sw", "lens")}
    found = summary(write_run(tmp_path, some))
    lens, xsft = (average(found, "languages", name, task="xcopa") for name in ("lens", "xsft"))
    assert (lens.value, lens.low, lens.delta, lens.p_value, lens.p_holm) == (None,) * 5
    assert xsft.value is not None and xsft.p_value is not None
    results = {**json.loads((tmp_path / "variants.json").read_text()), "cells": [], "averages": [lens.as_dict()]}
    (table,) = averages_tables(read_results(results))
    assert dict(zip(table.header, table.rows[0], strict=True))["value"] == "no score"


def roles(found: Summary, variant: str) -> dict[str, list[Any]]:
    by_role: dict[str, list[Any]] = {}
    for one in found.averages:
        if one.variant == variant:
            by_role.setdefault(one.role, []).append(one)
    return by_role


def test_what_each_average_is_for(found: Summary) -> None:
    own = roles(found, "lens")
    assert [(one.over, one.task, one.language) for one in own["endpoint"]] == [("tasks and languages", None, None)]
    assert [one.language for one in own["language"]] == ["zh", "sw"]
    assert [one.cells for one in own["english"]] == [("xcopa/en",)]
    assert [(one.over, one.task) for one in own["exploratory"]] == [("languages", "xcopa"), ("languages", "xwinograd")]
    assert all(one.verdict == "exploratory" and one.p_holm is None for one in own["exploratory"])
    assert all(one.verdict is None and one.p_holm is None for one in own["english"])
    assert all(a.p_value is None and a.delta is None and a.retention is None for a in found.averages if a.variant == "base")


def test_all_endpoints_are_one_family_and_open_their_languages(found: Summary) -> None:
    """Two variants with one endpoint each: by hand, along the weights of docs/statistics.md."""
    lens, xsft = roles(found, "lens"), roles(found, "xsft")
    first, second = lens["endpoint"][0], xsft["endpoint"][0]
    assert first.p_value < second.p_value and second.p_value > 0.05
    assert second.p_holm == pytest.approx(min(1, second.p_value / 0.75), abs=1e-4)
    # The best endpoint is tested at half of the level; half of that goes on, so the other has three quarters.
    assert first.p_holm == pytest.approx(2 * first.p_value)
    # Its two languages share a quarter of the level by Holm's procedure, which the endpoint before them must have passed.
    low, high = sorted(one.p_value for one in lens["language"])
    by_hand = [max(first.p_holm, 8 * low), max(first.p_holm, 8 * low, 4 * high)]
    assert sorted(one.p_holm for one in lens["language"]) == pytest.approx(by_hand, rel=1e-4)
    assert all(one.p_holm >= second.p_holm and one.verdict == "not distinguishable" for one in xsft["language"])


def test_a_language_is_not_called_better_where_its_endpoint_is_not(tmp_path: Path) -> None:
    """Chinese gains what Swahili loses: the mean shows nothing, so neither language has a verdict of its own."""
    rng = np.random.default_rng(2)
    base = {code: (rng.random(200) < 0.5).astype(float) for code in ("zh", "sw")}
    up = np.where(rng.random(200) < 0.3, 1.0, base["zh"])
    down = np.where(rng.random(200) < 0.3, 0.0, base["sw"])
    scores = {
        ("xcopa/zh", "base"): base["zh"],
        ("xcopa/sw", "base"): base["sw"],
        ("xcopa/zh", "lens"): up,
        ("xcopa/sw", "lens"): down,
    }
    found = summary(write_run(tmp_path, scores, named=()))
    own = roles(found, "lens")
    assert own["endpoint"][0].verdict == "not distinguishable"
    assert [one.p_value < 0.001 for one in own["language"]] == [True, True]
    assert [one.verdict for one in own["language"]] == ["not distinguishable"] * 2


ENGLISH = {"xcopa": 40, "xwinograd": 60, "m_mmlu": 50}


@pytest.fixture(scope="module")
def english(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """Three tasks in English and Chinese, with effects of every size."""
    rng = np.random.default_rng(5)
    gains = {"lens": {"xcopa": 0.35, "xwinograd": 0.12, "m_mmlu": 0.1}, "xsft": {"xcopa": -0.2, "xwinograd": 0.1, "m_mmlu": 0.0}}
    scores = {
        (f"{task}/{code}", variant): (rng.random(n) < 0.5 + gains.get(variant, {}).get(task, 0)).astype(float)
        for task, n in ENGLISH.items()
        for code in ("en", "zh")
        for variant in VARIANTS
    }
    run = write_run(tmp_path_factory.mktemp("english") / "run", scores)
    run.write_json("provenance.json", {"starts": []})
    return run


def test_the_english_average_is_also_taken_as_papers_print_it(english: RunFolder) -> None:
    found = summary(english)
    for variant in ("lens", "xsft"):
        own = {a.over + (a.language or ""): a for a in found.averages if a.variant == variant}
        assert set(own) == {"tasksen", "taskszh", "tasks without xcopaen"}
        assert [own[name].role for name in ("tasksen", "taskszh")] == ["english", "endpoint"]
        every, chinese, some = own["tasksen"], own["taskszh"], own["tasks without xcopaen"]
        assert some.cells == ("xwinograd/en", "m_mmlu/en") and every.cells == ("xcopa/en", *some.cells) and some.n == 110
        cells = {f"{c.task}/{c.language}": c for c in found.cells if c.variant == variant}
        assert some.value == pytest.approx(np.mean([cells[name].value for name in some.cells]))
        assert some.delta == pytest.approx(np.mean([cells[name].delta for name in some.cells]))
        assert some.low < some.value < some.high and some.delta_low < some.delta < some.delta_high
        # It is only shown: English is asked whether it was kept over all its tasks.
        assert (some.role, some.verdict, some.p_holm) == ("exploratory", "exploratory", None) and some.p_value is not None
        assert chinese.p_holm is not None and every.retention is not None and some.retention is None
        assert some.signature.startswith("mean:tasks-without-xcopa:en|xwinograd/en:")
    results = collect_results(english)
    shown = {row[1] for table in averages_tables(read_results(results)) for row in table.rows}
    assert any("3 tasks" in of for of in shown) and any("without xcopa" in of for of in shown), shown
    assert not [note for note in notes(read_results(results)) if "without a source item" in note], (
        "nothing here is over languages"
    )


def test_the_english_average_of_the_table_has_an_interval_and_a_test(english: RunFolder) -> None:
    from lensbench.reporting.open_runs import open_runs
    from lensbench.reporting.tables import build_table, load_table_spec

    results = collect_results(english)
    for cell in results["cells"] + results["averages"]:
        cell["profile"] = "lens-paper"
    for known in results["tasks"].values():
        known["profile"] = "lens-paper"
    home = english.path.parent / "sent"
    home.mkdir()
    (home / "run.json").write_text(json.dumps({"spec": {"languages": ["zh"], "backbone": "b", "methods": []}}))
    (home / "results.json").write_text(json.dumps(results))
    [section] = build_table(load_table_spec("bilingual"), open_runs([home])).sections
    rows = {(c.fields["variant"], c.fields["column"], c.fields["language"]): c.fields for row in section.rows for c in row.cells}
    recorded = {(a["variant"], a["over"], a["language"]): a for a in results["averages"]}
    for over, language in (("tasks without xcopa", "en"), ("tasks", "zh")):
        shown, known = rows["lens", "Average", language], recorded["lens", over, language]
        for name in ("value", "low", "high", "delta", "delta_low", "delta_high"):
            assert shown[name] == pytest.approx(100 * known[name]), name
        assert (shown["verdict"], shown["n"], shown["signature"]) == (known["verdict"], known["n"], known["signature"])
        assert shown["note"] == ""


def test_the_average_without_xcopa_is_that_of_the_table() -> None:
    from lensbench.numbers.average_groups import NOT_IN_ENGLISH
    from lensbench.reporting.tables import load_table_spec

    spec = load_table_spec("bilingual")
    [mean] = spec.averages
    assert [m.task for m in spec.measures if m.id in mean.over and m.languages == "targets"] == [NOT_IN_ENGLISH]


def test_the_p_value_of_an_average_equals_a_slow_permutation(found: Summary, scores: dict) -> None:
    one = average(found, "languages", "xsft", task="xcopa")
    deltas = [scores[cell, "xsft"] - scores[cell, "base"] for cell in one.cells]
    parts = deltas[0] / 40 / 2
    parts[:30] += deltas[1] / 30 / 2
    rng = np.random.default_rng(11)
    flipped = [abs((rng.choice([-1, 1], 40) * parts).sum()) for _ in range(20_000)]
    assert one.p_value == pytest.approx(np.mean(np.array(flipped) >= abs(parts.sum()) - 1e-12), abs=0.02)


def test_scores_that_never_vary_still_leave_something_open(scores: dict, tmp_path: Path) -> None:
    """40 source items in one or two languages, all right: a true share below 1, and a small difference, are still possible."""
    right = {key: np.ones_like(values) for key, values in scores.items()}
    one = average(summary(write_run(tmp_path, right)), "languages", "lens", task="xcopa")
    assert (one.value, one.high, one.delta, one.p_value) == (1, 1, 0, 1)
    assert 0.85 < one.low < 0.95 and one.delta_low == pytest.approx(-one.delta_high) and 0.05 < one.delta_high < 0.13
    assert one.smallest_detectable is None and one.verdict == "exploratory"


def test_failures_leave_pairs_not_items(scores: dict, tmp_path: Path) -> None:
    some = {key: values.copy() for key, values in scores.items()}
    some["xcopa/zh", "lens"][:7] = np.nan
    found = summary(write_run(tmp_path, some))
    (cell,) = [c for c in found.cells if (c.task, c.language, c.variant) == ("xcopa", "zh", "lens")]
    pairs = some["xcopa/zh", "lens"][7:] - some["xcopa/zh", "base"][7:]
    assert (cell.n, cell.failures, cell.clusters) == (40, 7, 33) and cell.delta == pytest.approx(pairs.mean())
    empty = {key: np.full_like(values, np.nan) if key[1] == "lens" else values for key, values in scores.items()}
    found = summary(write_run(tmp_path / "empty", empty))
    assert all((c.value, c.delta, c.p_value, c.test) == (None,) * 4 for c in found.cells if c.variant == "lens")
    assert all(a.value is None and a.p_holm is None for a in found.averages if a.variant == "lens")
    assert all(c.p_value is not None for c in found.cells if c.variant == "xsft")


# --- what is shown


def test_tables_say_what_the_numbers_say(scores: dict, found: Summary, tmp_path: Path) -> None:
    run = write_run(tmp_path, scores)
    run.write_json(
        "provenance.json",
        {"starts": [{"packages": {"torch": "2.1", "lm_eval": "0.4.13"}}, {"packages": {"torch": "2.2", "lm_eval": "0.4.13"}}]},
    )
    results = collect_results(run)
    lines = {(x.task, x.language, x.variant): x for x in table_lines(read_results(results))}
    for cell in found.cells:
        line = lines[cell.task, cell.language, cell.variant]
        assert line.p_value == ("" if cell.p_value is None else "<0.001" if cell.p_value < 0.001 else f"{cell.p_value:.3f}")
    signature = results["cells"][0]["signature"]
    for part in (
        "xcopa:en",
        "v1",
        "p:p:hxcopa/en",
        "rows:local:xcopa/en:1",
        "n:40",
        "clusters:40",
        "m:acc",
        f"w:{'w' * 24}",
        "e:base",
        "bs:10000",
        "s:12345",
        "torch:2.1+2.2",
        "lm_eval:0.4.13",
    ):
        assert part in signature.split("|"), part
    average = next(a for a in results["averages"] if a["over"] == "languages")
    assert average["signature"].startswith("mean:languages:xcopa|xcopa/zh:v1:hxcopa/zh:local:xcopa/zh:1|xcopa/sw:")


# --- where the source item comes from


@pytest.mark.parametrize(
    ("rows", "split", "stand_in", "expected"),
    [
        ("xcopa", "test", None, "xcopa/test"),
        ("xcopa", "validation", None, None),
        ("xwinograd", "test", None, None),
        ("m_mmlu", "test", None, "m_mmlu/test"),
        ("m_mmlu", "test", "another set", None),
        ("mt_bench", "test", "another translation", "mt_bench/test"),
        ("kmmlu", "test", None, None),
    ],
)
def test_which_rows_name_their_source_item(rows: str, split: str, stand_in: str | None, expected: str | None) -> None:
    assert load_rows_spec(rows).source_prefix(split, stand_in) == expected


def test_columns_that_name_source_items_exist() -> None:
    from lensbench.datasets.rows import rows_specs

    named = {name: spec for name, spec in rows_specs().items() if spec.source_item}
    assert {"xcopa", "xstory_cloze", "m_mmlu", "mt_bench", "multiq"} <= named.keys()
    for name, spec in named.items():
        assert spec.source_item.column in spec.columns, name
        assert set(spec.source_item.splits) <= spec.splits.keys(), name


def test_items_of_one_source_item_carry_its_name_in_every_language() -> None:
    from lensbench.plan.plan import make_plan
    from lensbench.plan.request import RunRequest
    from lensbench.plan.task_items import load_rows, render_items

    request = RunRequest(
        methods=(),
        backbone="smollm2-135m",
        languages=("zh", "sw"),
        data="embedded",
        tasks=("xcopa", "xwinograd", "xstory_cloze", "m_mmlu", "multiq"),
        limit=7,
    )
    plan = make_plan(request)
    asked = render_items(plan, load_rows(plan, {}), lambda messages, **_: messages[-1]["content"])
    sources: dict[str, list[list[str | None]]] = {}
    for task in asked:
        records = [item.as_record() for item in task.items]
        sources.setdefault(task.planned.task.name, []).append([record.source for record in records])
    assert sources.pop("xwinograd") == [[None] * 7] * 3
    for name, (english, *others) in sources.items():
        assert len(set(english)) == 7 and len(others) == 2 and all(other == english for other in others), name
    assert sources["xcopa"][0][3] == "xcopa/test/3"

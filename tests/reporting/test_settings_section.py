"""Many variants in every view: the answer folds to settings and says how many more there are, and a section holds them all."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from report_browser import Watched, launched, require_browser
from rich.cells import cell_len
from simulated_sweep import name_of, sweep_run

import lensbench
from lensbench.metrics import metric_of
from lensbench.numbers.pairs import MOST_COMPARED, not_compared
from lensbench.numbers.results import collect_results
from lensbench.numbers.run_results import read_results
from lensbench.records import RunFolder, ScoreRecord
from lensbench.reporting.answer import answer_of
from lensbench.reporting.html import write_html_report
from lensbench.reporting.html.page import render_html_report
from lensbench.reporting.open_runs import open_runs
from lensbench.reporting.run_view import RunView
from lensbench.reporting.text.cost import duration
from lensbench.stages.results import write_results

FAILED = name_of({"start_layer": 26, "push_strength": 1.0}, 2)
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """36 variants: 12 settings with 3 seeds, one of which diverged."""
    folder = sweep_run(tmp_path_factory.mktemp("many") / "run", items=20, tasks=("xcopa", "open_questions"), failed=[FAILED])
    write_results(folder)
    return folder


@pytest.fixture(scope="module")
def page(run: RunFolder) -> str:
    return (run.path / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with launched(require_browser()) as found:
        yield found


def section(page: str, name: str) -> str:
    return re.findall(rf'<section id="{name}">.*?</section>', page, re.S)[0]


def test_the_answer_shows_the_best_settings_and_counts_the_rest(run: RunFolder) -> None:
    view = RunView.of(run)
    answer = answer_of(view)
    measure = view.sweep_table.measures[0]
    best = sorted(view.sweep_table.settings, key=lambda setting: -measure.targets[setting.name].delta)[:6]
    assert answer.rows.names == tuple(setting.name for setting in best) and answer.rows.more == 6
    assert [one.variant for one in answer.helped] == list(answer.rows.names)
    assert [one.variant for one in answer.english if one.variant] == list(answer.rows.names)
    assert all(re.match(r"(3 seeds|2 seeds, 1 more could not be fitted): accuracy \+", one.text) for one in answer.helped)
    assert len(answer.cost) == 1 and answer.cost[0].text.startswith("35 fits took")
    whole = answer_of(view, everything=True)
    assert len(whole.helped) == 35 == len(whole.rows.names) and not whole.rows.left_out


def test_a_row_is_the_mean_of_its_seeds_with_their_interval(run: RunFolder) -> None:
    view = RunView.of(run)
    rows = answer_of(view).rows
    for shown, table in zip(rows.measures, view.sweep_table.measures, strict=True):
        for name in rows.names:
            number = table.targets[name]
            average = shown.targets[name]
            assert (average.delta, average.delta_low, average.delta_high) == (number.delta, number.low, number.high)
            verdicts = set(number.verdicts.values())
            assert average.verdict == (verdicts.pop() if len(verdicts) == 1 else None)


@pytest.mark.parametrize("columns", ["80", "160"])
def test_the_terminal_folds_and_says_where_the_rest_is(cli: Any, run: RunFolder, columns: str) -> None:
    done = cli("show", run.path, env={"COLUMNS": columns})
    assert done.returncode == 0, done.stderr
    flat = re.sub(r"\s+", " ", done.stdout)
    assert "Shown: the best 6 of 12 settings by accuracy" in flat and "6 more (--all shows them)." in flat
    assert max(cell_len(line) for line in done.stdout.splitlines()) <= int(columns) and len(done.stdout.splitlines()) < 160
    everything = cli("show", run.path, "--all", env={"COLUMNS": "160"}).stdout
    assert "lens: 12 settings, difference to base, sorted by accuracy" in everything
    assert f"{FAILED}: could not be fitted" in re.sub(r"\s+", " ", everything)
    for name in (name_of({"start_layer": 29, "push_strength": 1.0}, seed) for seed in (0, 1, 2)):
        assert name in everything and name not in done.stdout


def test_the_markdown_report_holds_every_setting_and_stays_short(run: RunFolder) -> None:
    text = (run.path / "report.md").read_text(encoding="utf-8")
    assert text.startswith("# 36 variants on simulated") and "6 more, below." in text and "2 of 3" in text
    rows = re.findall(r"^\| start_layer=(\d+), push_strength=([\d.]+) \| (\d)", text, re.M)
    assert len(rows) == 12 and "## Cells" not in text and len(text) < 60_000


def test_the_section_holds_every_setting_the_best_first(run: RunFolder, page: str) -> None:
    table = RunView.of(run).sweep_table
    shown = section(page, "settings")
    body = re.findall(r'<table class="settings".*?<tbody>(.*?)</tbody>', shown, re.S)[0]
    rows = re.findall(r"<tr>(.*?)</tr>", body, re.S)
    measure = table.measures[0]
    wanted = [100 * measure.targets[setting.name].delta for setting in measure.best_first(table.settings)]
    values = [re.findall(r'<span class="value">(.*?)</span>', row)[0] for row in rows]
    assert values == [f"{value:+.1f}" for value in wanted] and len(rows) == 12
    assert sum(row.count('class="seed"') for row in rows) == sum(
        len(number.seeds) for one in table.measures for own in (one.targets, one.english) for number in own.values()
    )
    (lost,) = [row for row in rows if "could not be fitted" in row]
    assert "2 of 3" in lost and FAILED in lost
    assert shown.count('<table class="sweep-map">') == 4 and shown.count("On the front:") == 2


def test_36_variants_have_no_bars_and_the_page_says_so(page: str) -> None:
    figures = section(page, "figures")
    assert "36 variants are too many for bars" in figures and "<svg" not in figures
    assert "35 variants have too many pairs for this page" in section(page, "pairs")
    assert '<a href="#settings">all settings</a>' in section(page, "summary")


def test_a_run_without_settings_has_no_section(tmp_path: Path) -> None:
    folder = sweep_run(tmp_path / "run", {"start_layer": (26,)}, (0,), items=6, tasks=("xcopa",))
    write_results(folder)
    assert '<section id="settings">' not in (folder.path / "report.html").read_text(encoding="utf-8")


def test_names_from_files_are_text(tmp_path: Path) -> None:
    fits = {f"m{i}": ("lens", {"note": f"{HOSTILE}{i}", "rank": 1}) for i in range(2)}
    folder = sweep_run(tmp_path / "run", [], (0,), items=6, tasks=("xcopa",), further=fits)
    (folder.path / "results.json").write_text(json.dumps(collect_results(folder)), encoding="utf-8")
    shown = section(render_html_report([RunView.of(folder)]), "settings")
    assert "<script>" not in shown and "&lt;script&gt;alert(1)&lt;/script&gt;0" in shown


def test_heads_sort_by_mouse_and_keyboard(browser: Any, run: RunFolder) -> None:
    with Watched(browser, run.path / "report.html") as view:
        order = "[...document.querySelectorAll('table.settings tbody tr')].map((row) => Number(row.cells[1].dataset.sort))"
        head = view.page.locator("table.settings th", has_text="push_strength").locator("button")
        head.click()
        assert view.page.evaluate(order) == sorted(view.page.evaluate(order), reverse=False)
        head.press("Enter")
        assert view.page.evaluate(order) == sorted(view.page.evaluate(order), reverse=True)
        assert view.page.locator("table.settings th[aria-sort=descending]").inner_text().endswith("push_strength")
        assert view.trouble == []


@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_does_not_scroll_sideways(browser: Any, run: RunFolder, width: int) -> None:
    with Watched(browser, run.path / "report.html", viewport={"width": width, "height": 800}) as view:
        assert view.page.evaluate("document.documentElement.scrollWidth") <= width
        assert view.page.locator("#summary").bounding_box()["height"] < (1300 if width == 1280 else 2600)


def test_without_script_the_table_is_sorted_and_paper_cuts_nothing(browser: Any, run: RunFolder) -> None:
    context = browser.new_context(java_script_enabled=False, viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto((run.path / "report.html").as_uri())
    assert page.locator("table.settings tbody tr").count() == 12 and page.locator("button.sort").count() == 0
    assert page.locator("table.settings th[aria-sort=descending]").inner_text().startswith("Accuracy")
    context.close()
    with Watched(browser, run.path / "report.html", viewport={"width": 1046, "height": 700}) as view:
        view.page.emulate_media(media="print")
        ends = "[...document.querySelectorAll('#settings table')].map((table) => table.getBoundingClientRect().right)"
        assert max(view.page.evaluate(ends)) <= 1047


def test_frames_and_parquet_have_the_settings(run: RunFolder, tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    found = lensbench.load(run.path)
    table = RunView.of(run).sweep_table
    own = found.settings.query("role == 'endpoint' and metric == 'acc'").set_index("setting")
    assert len(own) == 12 and set(own["lens.push_strength"]) == {0.25, 0.5, 1.0} and own.covers.unique() == ["seeds and items"]
    for setting in table.settings:
        number = table.measures[0].targets[setting.name]
        row = own.loc[setting.name]
        assert (row.delta, row.delta_low, row.seeds) == (number.delta, number.low, len(setting.variants))
        assert row.front == (setting.name in table.measures[0].front.members) and bool(row.dominated_by) != row.front
    english = found.settings.query("role == 'english' and metric == 'acc'")
    assert set(english.retention) <= {"shown", "not shown", "worse"} and english.front.isna().all()
    written = {path.name for path in found.to_parquet(tmp_path)}
    assert written == {f"{name}.parquet" for name in ("items", "cells", "averages", "settings", "seeds")}
    pandas.testing.assert_frame_equal(pandas.read_parquet(tmp_path / "settings.parquet"), found.settings, check_dtype=False)


def test_three_hundred_variants(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    strengths = tuple(i / 10 for i in range(1, 11))
    folder = sweep_run(
        tmp_path / "run",
        {"start_layer": tuple(range(20, 30)), "push_strength": strengths},
        items=3,
        languages=("en", "zh"),
        tasks=("xcopa",),
    )
    reads = []
    records = RunFolder.records
    monkeypatch.setattr(RunFolder, "records", lambda self, kind: reads.append(kind) or records(self, kind))
    write_results(folder)
    # However many variants there are, the scores are read a few times, not once for each.
    assert reads.count(ScoreRecord) < 30
    results = read_results(folder.read_json("results.json"))
    assert results.pairs == () and any("300 variants make 44,850" in gap for gap in results.gaps)
    text = (folder.path / "report.html").read_text(encoding="utf-8")
    assert "94 more" in section(text, "summary") and section(text, "summary").count("<tr>") < 30
    assert section(text, "settings").count('<th scope="row" data-sort=') == 100
    assert len(text) < 8_000_000


def test_pairs_are_made_up_to_a_bound() -> None:
    assert not_compared(["base", *map(str, range(MOST_COMPARED))]) is None
    assert "65 variants make 2,080" in str(not_compared(["base", *map(str, range(MOST_COMPARED + 1))]))


def test_two_runs_have_a_section_each(run: RunFolder, tmp_path: Path) -> None:
    other = sweep_run(tmp_path / "other", {"rank": (1, 2, 3)}, (0, 1), items=6, tasks=("xcopa",))
    write_results(other)
    target = tmp_path / "two.html"
    write_html_report(open_runs([run.path, other.path]), target)
    shown = section(target.read_text(encoding="utf-8"), "settings")
    assert shown.count('<table class="settings"') == 2 and "B other: lens: 3 settings" in shown


def test_a_warning_that_is_true_of_many_variants_is_one_sentence(run: RunFolder) -> None:
    results = read_results(json.loads((run.path / "results.json").read_text(encoding="utf-8")))
    cells = [replace(cell, picks=(0, cell.n)) if metric_of(cell).by_likeliest else cell for cell in results.cells]
    picked = {cell.variant for cell in cells if cell.one_option == 1}
    assert len(picked) > 30
    found = [one for one in answer_of(RunView(run, replace(results, cells=cells))).voids if "picks B" in one.text]
    assert len(found) == 1 and f" and {len(picked) - 2} more: each picks B in at least 90%" in found[0].text
    few = [cell for cell in cells if cell.variant in sorted(picked)[:3]]
    found = [one for one in answer_of(RunView(run, replace(results, cells=few))).voids if "picks B" in one.text]
    assert {one.variant for one in found} == set(sorted(picked)[:3])


def test_the_time_of_all_fits_is_what_was_spent(run: RunFolder) -> None:
    results = read_results(json.loads((run.path / "results.json").read_text(encoding="utf-8")))
    costs = {name: replace(cost, wall_seconds=50.0, cached_seconds=46.0) for name, cost in results.costs.items()}
    said = answer_of(RunView(run, replace(results, costs=costs))).cost[0].text
    assert f"{len(costs)} fits took {duration(4 * len(costs))} together, 50s to 50s each if it were alone" in said

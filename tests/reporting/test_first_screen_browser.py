"""The first screen and the items in a real browser: size, links, sorting, search, copies, twins, flags, paper, and no script."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from shutil import which
from typing import Any

import pytest
from report_browser import Watched, launched, require_browser
from simulated_run import simulate

from lensbench.records import RunFolder
from lensbench.reporting.html import write_html_report
from lensbench.reporting.html.pack import link_id
from lensbench.reporting.open_runs import open_runs
from lensbench.stages.results import write_results

VARIANTS = ("base", "lens", "xsft", "xsft-full", "qalign", "incline")
LANGUAGES = ("en", "zh", "ja", "ko", "ar", "bn", "sw")
TASKS = ("xcopa", "mt_bench")
ITEMS = 30


def lines_of(run: RunFolder, stage: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run.path / "items" / f"{stage}.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with launched(require_browser()) as found:
        yield found


@pytest.fixture(scope="module")
def run(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """Six variants on seven languages, whose items name their source: row number and task."""
    folder = simulate(tmp_path_factory.mktemp("first") / "run", items=ITEMS, variants=VARIANTS, languages=LANGUAGES, tasks=TASKS)
    path = folder.path / "items" / "items.jsonl"
    named = [{**record, "source": f"{record['task']}:{record['doc_id']}"} for record in lines_of(folder, "items")]
    path.write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in named), encoding="utf-8")
    folder = RunFolder(folder.path)
    write_results(folder)
    return folder


@pytest.fixture(scope="module")
def report(run: RunFolder) -> Path:
    target = run.path.parent / "report.html"
    write_html_report(open_runs([run.path]), target)
    return target


def test_the_answer_fits_the_first_screen(browser: Any, report: Path) -> None:
    with Watched(browser, report, viewport={"width": 1440, "height": 900}) as view:
        for selector in ("h1", ".lead", ".questions", "table.answer", "table.languages", ".legend-line"):
            box = view.page.locator(selector).first.bounding_box()
            assert box["y"] + box["height"] <= 900 and box["x"] + box["width"] <= 1440, selector
        assert view.page.locator("table.answer svg.forest").count() == 6 * (len(VARIANTS) - 1)


@pytest.mark.parametrize("width", [390, 1024])
def test_a_smaller_window_does_not_scroll_sideways(browser: Any, report: Path, width: int) -> None:
    with Watched(browser, report, viewport={"width": width, "height": 800}) as view:
        assert view.page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_number_leads_to_its_items(browser: Any, report: Path) -> None:
    with Watched(browser, report) as view:
        row = view.page.locator("table.answer tbody tr", has_text="xsft-full")
        row.locator("td").nth(1).locator("a").click()
        view.until("document.getElementById('items').getBoundingClientRect().top < 100")
        assert view.found() == ITEMS * (len(LANGUAGES) - 1)
        assert view.page.evaluate("document.getElementById('f-task').value") == "mt_bench@mt-bench"
        assert view.page.evaluate("document.getElementById('f-language').selectedOptions[0].textContent") == "6 languages"
        assert view.page.evaluate("document.getElementById('f-variant').selectedOptions[0].textContent") == "xsft-full"
        # The same link leads there again, though the address stays as it is.
        view.page.evaluate("scrollTo({ top: 0, behavior: 'instant' })")
        row.locator("td").nth(1).locator("a").click()
        view.until("document.getElementById('items').getBoundingClientRect().top < 100")
        # Another choice replaces the several languages.
        view.page.select_option("#f-language", "sw")
        assert view.found() == ITEMS
        assert view.trouble == []
    with Watched(browser, report, "#task=xcopa@lens-paper&language=sw,bn&variant=lens") as view:
        assert view.found() == 2 * ITEMS
        assert view.page.evaluate("document.getElementById('items').getBoundingClientRect().top < 100")


def margins(run: RunFolder, variant: str) -> dict[str, float]:
    """Item -> margin in nats, from the records."""
    gold = {record["key"]: "ABCD".index(record["gold"]) for record in lines_of(run, "items") if record["task"] == "xcopa"}
    found = {}
    for record in lines_of(run, "score"):
        own = record["loglikelihoods"]
        if record["variant"] != variant or own[gold[record["item"]]] is None:
            continue
        others = [value for place, value in enumerate(own) if place != gold[record["item"]] and value is not None]
        found[record["item"]] = own[gold[record["item"]]] - max(others)
    return found


def test_sorting_by_margin_and_by_rating(browser: Any, report: Path, run: RunFolder) -> None:
    places = {(r["task"], r["language"], r["doc_id"] + 1): r["key"] for r in lines_of(run, "items")}
    ratings: dict[tuple[str, str], list[float]] = {}
    for record in lines_of(run, "verdicts"):
        if record["rating"] is not None:
            ratings.setdefault((record["item"], record["variant"]), []).append(record["rating"])
    mean = {key: sum(values) / len(values) for key, values in ratings.items()}
    rated = {
        item: value - mean[item, "base"]
        for (item, variant), value in mean.items()
        if variant == "lens" and (item, "base") in mean
    }
    wanted = {"margin": ("XCOPA", "xcopa", margins(run, "lens")), "rating": ("MT-Bench", "mt_bench", rated)}
    for what, (title, task, sizes) in wanted.items():
        for end in ("low", "high"):
            with Watched(browser, report, f"#variant=lens&sort={what}-{end}") as view:
                texts = view.page.locator("#list .where").all_inner_texts()
                found = [re.match(rf"{title} · (\w+) · (\d+)\s+([+-]?\d+\.\d\d)", text) for text in texts]
                assert len(found) == 50 and all(found), texts[:3]
                shown = [sizes[places[task, one[1], int(one[2])]] for one in found if one]
                best = sorted(sizes.values(), reverse=end == "high")[:50]
                assert shown == pytest.approx(best, abs=0.0101)
                assert [float(one[3]) for one in found if one] == pytest.approx(shown, abs=0.0151)
                assert view.trouble == []


def test_copying(browser: Any, report: Path) -> None:
    with Watched(browser, report) as view:
        view.context.grant_permissions(["clipboard-read", "clipboard-write"])
        for kind, begins in (("markdown", "| variant |"), ("latex", "% Needs"), ("csv", "variant,of,metric")):
            view.page.click(f"button[data-copy={kind}]")
            view.until("document.querySelector('.copies output').textContent.endsWith('copied')")
            copied = view.page.evaluate("navigator.clipboard.readText()")
            assert copied.startswith(begins) and copied.count("lens") >= 1
            view.page.evaluate("document.querySelector('.copies output').textContent = ''")
        assert view.trouble == []


def test_the_english_twin_stands_beside_an_item(browser: Any, report: Path, run: RunFolder) -> None:
    items = {(r["task"], r["language"], r["doc_id"]): r for r in lines_of(run, "items")}
    item, twin = items["xcopa", "bn", 7], items["xcopa", "en", 7]
    with Watched(browser, report, f"#item={link_id(item['key'])}") as view:
        view.page.wait_for_selector(".twin .text")
        assert view.page.locator(".twin .text").first.inner_text().splitlines()[0] == twin["doc"]["question"]
        assert view.page.locator(".twin .text").first.get_attribute("lang") == "en"
        view.page.click(".twin a")
        view.until("document.querySelector('.item-head h3').textContent === 'XCOPA · English · item 8'")
        assert view.page.locator(".twin").count() == 0 and view.trouble == []


def test_a_turn_carries_its_own_flag(browser: Any, report: Path, run: RunFolder) -> None:
    """An item whose second turn alone is off target and broken."""
    turns = {(r["item"], r["variant"]): r["metrics"] for r in lines_of(run, "identified")}
    key = next(
        item
        for (item, variant), own in turns.items()
        if variant == "lens" and (own["lf_turn1"], own["lf_turn2"]) == (1, 0) and turns[item, "base"]["lf_turn2"] == 1
    )
    with Watched(browser, report, f"#item={link_id(key)}") as view:
        view.page.wait_for_selector("#detail .answers")
        cards = view.page.locator('#detail section[aria-label="Answer of lens"]').all_inner_texts()
        assert len(cards) == 2
        assert "broken" not in cards[0] and "off target" not in cards[0]
        assert "broken" in cards[1] and "off target" in cards[1]


def test_a_search_looks_through_text_that_is_opened_once(browser: Any, report: Path) -> None:
    with Watched(browser, report) as view:
        view.page.locator("#items").scroll_into_view_if_needed()
        view.page.wait_for_selector("html[data-texts=yes]")
        client = view.context.new_cdp_session(view.page)
        client.send("Performance.enable")

        def busy() -> float:
            return next(m["value"] for m in client.send("Performance.getMetrics")["metrics"] if m["name"] == "ScriptDuration")

        before = busy()
        view.page.fill("#f-q", "no such words anywhere")
        view.until("document.getElementById('found').textContent === '0 items'")
        assert busy() - before < 0.3


def test_paper_has_every_language(browser: Any, report: Path, tmp_path: Path) -> None:
    """Printed to A4 by the browser itself, the last column of every table of cells is on the paper."""
    if which("pdftotext") is None:
        pytest.skip("pdftotext is not installed")
    target = tmp_path / "report.pdf"
    with Watched(browser, report) as view:
        view.page.pdf(path=str(target), prefer_css_page_size=True, print_background=True)
    text = subprocess.run(["pdftotext", "-layout", str(target), "-"], capture_output=True, text=True, check=True).stdout
    heads = [line.split() for line in text.splitlines() if line.split()[:2] == ["variant", "en"]]
    assert heads and all(head[-1] == "sw" for head in heads), heads
    size = subprocess.run(["pdfinfo", str(target)], capture_output=True, text=True, check=True).stdout
    assert re.search(r"Page size: +84\d\.\d+ x 59\d", size), "A4, lying across"
    with Watched(browser, report, viewport={"width": 1046, "height": 700}) as view:
        view.page.emulate_media(media="print")
        ends = "[...document.querySelectorAll('main table')].map((table) => table.getBoundingClientRect().right)"
        assert max(view.page.evaluate(ends)) <= 1047


def test_without_script_the_first_screen_is_there(browser: Any, report: Path) -> None:
    context = browser.new_context(java_script_enabled=False, viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.goto(report.as_uri())
    assert "better on the targets" in page.inner_text(".questions") and page.locator("table.languages").is_visible()
    assert page.locator("#nojs").is_visible() and not page.locator(".copies").is_visible()
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_serious_fault_of_accessibility_in_odd_runs(browser: Any, tmp_path: Path, scheme: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    variants = ("base", *(f"v{number}" for number in range(12)))
    folder = simulate(tmp_path / "run", items=3, variants=variants, languages=("en", "zh"), tasks=("xcopa",))
    write_results(folder)
    target = tmp_path / "report.html"
    write_html_report(open_runs([folder.path]), target)
    with Watched(browser, target, color_scheme=scheme) as view:
        view.page.evaluate("for (const fold of document.querySelectorAll('details')) fold.open = true")
        faults = [v for v in Axe().run(view.page).response["violations"] if v["impact"] in ("serious", "critical")]
        assert [(v["id"], [n["html"][:120] for n in v["nodes"][:3]]) for v in faults] == []

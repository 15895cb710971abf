"""The report in a real browser: what a reader does with it, and what no answer of a model may do to it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from judged_run import build_run
from report_browser import Watched, launched, require_browser
from simulated_run import simulate

from lensbench.records import RunFolder
from lensbench.reporting.html import write_html_report
from lensbench.reporting.html.pack import link_id
from lensbench.reporting.open_runs import open_runs
from lensbench.stages.results import write_results

VARIANTS, LANGUAGES, TASKS = ("base", "lens", "xsft"), ("en", "ar", "zh"), ("xcopa", "mt_bench")
ITEMS = 60


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with launched(require_browser()) as found:
        yield found


@pytest.fixture(scope="module")
def run(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    folder = simulate(tmp_path_factory.mktemp("report") / "run", items=ITEMS, variants=VARIANTS, languages=LANGUAGES, tasks=TASKS)
    write_results(folder)
    return folder


@pytest.fixture(scope="module")
def report(run: RunFolder) -> Path:
    target = run.path.parent / "report.html"
    write_html_report(open_runs([run.path]), target)
    return target


def records(run: RunFolder, stage: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run.path / "items" / f"{stage}.jsonl").read_text(encoding="utf-8").splitlines()]


def broken_items(run: RunFolder) -> set[str]:
    """Items right under base and wrong under another variant, the slow way: from the records, one by one."""
    right: dict[tuple[str, str], bool] = {}
    for record in records(run, "score"):
        if "acc" in record["metrics"]:
            right[record["item"], record["variant"]] = record["metrics"]["acc"] == 1
    for record in records(run, "identified"):
        right[record["item"], record["variant"]] = record["metrics"]["lf_turn1"] == record["metrics"]["lf_turn2"] == 1
    return {item for (item, variant), good in right.items() if not good and right.get((item, "base"))}


def test_it_opens_and_asks_nobody(browser: Any, report: Path) -> None:
    with Watched(browser, report) as view:
        assert view.page.inner_text("h1") == "lens + xsft on simulated"
        assert view.found() == ITEMS * len(LANGUAGES) * len(TASKS)
        for code in LANGUAGES:
            assert code in view.page.inner_text("table.languages thead")
        assert view.page.locator("svg.chart").count() >= 3 and view.page.locator("table.heat").count() >= 6
        view.show("flipped")
        view.page.locator("#list button").first.click()
        view.page.wait_for_selector(".item-head")
        assert view.requests == [report.as_uri()] and view.trouble == []


def test_the_filter_of_broken_items_and_an_opened_item(browser: Any, report: Path, run: RunFolder) -> None:
    expected = broken_items(run)
    with Watched(browser, report) as view:
        view.show("broken")
        assert view.found() == len(expected) > 5
        view.page.select_option("#f-task", "xcopa@lens-paper")
        view.page.select_option("#f-language", "ar")
        asked = {r["key"]: r for r in records(run, "items") if r["task"] == "xcopa" and r["language"] == "ar"}
        assert view.found() == len(expected & asked.keys())
        view.page.locator("#list button").first.click()
        view.page.wait_for_selector(".item-head")
        number = int(re.search(r"XCOPA · Arabic · item (\d+)", view.page.inner_text(".item-head h3"))[1])  # type: ignore[index]
        item = next(r for r in asked.values() if r["doc_id"] == number - 1)
        assert item["key"] in expected
        # The question is shown in its language and direction, all of it and nothing of the chat template.
        question = view.page.locator(".question .text").first
        assert question.get_attribute("lang") == "ar" and question.get_attribute("dir") == "rtl"
        assert question.inner_text().splitlines()[0] == item["doc"]["question"] and "im_start" not in question.inner_text()
        view.page.click("text=The whole prompt as sent")
        assert view.page.inner_text(".question details .text") == item["requests"][0][0]
        scored = {r["variant"]: r for r in records(run, "score") if r["item"] == item["key"]}
        for place, row in enumerate(view.page.locator(".options tbody tr").all()):
            shown = [float(text.split()[0]) for text in row.locator("td").all_inner_texts()]
            assert shown == [pytest.approx(scored[v]["loglikelihoods"][place], abs=0.0051) for v in VARIANTS]
            assert (row.get_attribute("class") == "gold") == (place == "ABCD".index(item["gold"]))
        assert "broken" in view.page.inner_text(".options tfoot")
        assert view.trouble == []


def test_a_deep_link_opens_its_item(browser: Any, report: Path, run: RunFolder) -> None:
    item = next(r for r in records(run, "items") if r["task"] == "mt_bench" and r["language"] == "zh" and r["doc_id"] == 41)
    with Watched(browser, report, f"#item={link_id(item['key'])}") as view:
        view.page.wait_for_selector(".item-head")
        assert view.page.inner_text(".item-head h3") == "MT-Bench · Chinese · item 42"
        texts = view.page.locator("#detail .question .text").all_inner_texts()
        assert texts == item["turns"]
        answers = {(r["variant"], r["turn"]): r for r in records(run, "answers") if r["item"] == item["key"]}
        cards = view.page.locator("#detail .answers").all()
        assert len(cards) == 2
        for turn, card in enumerate(cards, start=1):
            for variant in VARIANTS:
                own = card.locator(f'section[aria-label="Answer of {variant}"]')
                assert answers[variant, turn]["text"].strip() in own.inner_text() or answers[variant, turn]["state"] == "empty"
                assert "strict:" in own.inner_text() and "lid176:" in own.inner_text()
        assert view.page.evaluate("document.getElementById('detail').getBoundingClientRect().top < innerHeight")
        # Its own link, and going back, lead to items too.
        view.page.keyboard.press("j")
        view.until("document.querySelector('.item-head h3').textContent.endsWith('item 43')")
        view.page.go_back()
        view.until("document.querySelector('.item-head h3').textContent.endsWith('item 42')")
    with Watched(browser, report, "#item=0123456789") as view:
        assert "No item of this report" in view.page.inner_text("#detail")


def test_searching_arabic_text(browser: Any, report: Path, run: RunFolder) -> None:
    words = [
        w for r in records(run, "items") if r["language"] == "ar" for w in r["doc"].get("question", "").split() if len(w) > 4
    ]
    word = words[7].strip("؟.،")
    texts: dict[str, str] = {}
    for record in records(run, "items"):
        texts[record["key"]] = "\n".join([*record.get("turns", []), *(part for pair in record["requests"] for part in pair)])
    for record in [*records(run, "answers")]:
        texts[record["item"]] += "\n" + record["text"]
    for record in records(run, "verdicts"):
        texts[record["item"]] += "\n" + record["reply"]["text"]

    def bare(text: str) -> str:
        return re.sub("[\u064b-\u065f\u0670\u0640]", "", text)

    expected = {key for key, text in texts.items() if bare(word) in bare(text)}
    assert 0 < len(expected) < len(texts) / 2
    with Watched(browser, report) as view:
        view.page.fill("#f-q", word[0] + "\u064e" + word[1:])  # a vowel mark that the texts do not have
        view.until(f"document.getElementById('found').textContent.startsWith('{len(expected)} item')")
        assert view.found() == len(expected)
        view.page.locator("#list button").first.click()
        view.page.wait_for_selector(".item-head")
        assert bare(view.page.locator("#detail mark").first.inner_text()) == bare(word)
        assert view.page.evaluate("new URLSearchParams(location.hash.slice(1)).get('q')")
        view.page.fill("#f-q", "no such words anywhere")
        view.until("document.getElementById('found').textContent === '0 items'")
        assert view.trouble == []


def test_the_theme_can_be_switched(browser: Any, report: Path) -> None:
    def ground() -> str:
        return str(view.page.evaluate("getComputedStyle(document.body).backgroundColor"))

    with Watched(browser, report, color_scheme="light") as view:
        system = ground()
        view.page.click("#theme")
        assert view.page.get_attribute("html", "data-theme") == "light" and ground() == system
        view.page.click("#theme")
        assert view.page.get_attribute("html", "data-theme") == "dark" and ground() != system
        view.page.reload()
        view.page.wait_for_selector("html[data-ready=yes]")
        assert view.page.get_attribute("html", "data-theme") == "dark", "the choice is remembered"
    with Watched(browser, report, color_scheme="dark") as view:
        assert ground() != system, "without a choice the system's theme holds"


def test_the_keyboard_is_enough(browser: Any, report: Path) -> None:
    with Watched(browser, report) as view:
        view.page.keyboard.press("/")
        assert view.page.evaluate("document.activeElement.id") == "f-q"
        view.page.focus("#list button")
        view.page.keyboard.press("ArrowDown")
        view.page.keyboard.press("ArrowDown")
        view.page.keyboard.press("Enter")
        view.page.wait_for_selector(".item-head")
        assert view.page.inner_text(".item-head h3") == "XCOPA · English · item 3"
        assert view.page.evaluate("document.activeElement.id") == "detail"
        view.page.keyboard.press("k")
        view.until("document.querySelector('.item-head h3').textContent.endsWith('item 2')")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_serious_fault_of_accessibility(browser: Any, report: Path, run: RunFolder, scheme: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    chat = next(r for r in records(run, "items") if r["task"] == "mt_bench" and r["language"] == "ar")
    scored = next(r for r in records(run, "items") if r["task"] == "xcopa")
    for item in (chat, scored):
        with Watched(browser, report, f"#item={link_id(item['key'])}&show=all", color_scheme=scheme) as view:
            view.page.wait_for_selector(".item-head")
            view.page.evaluate("for (const fold of document.querySelectorAll('details')) fold.open = true")
            faults = [v for v in Axe().run(view.page).response["violations"] if v["impact"] in ("serious", "critical")]
            assert [(v["id"], [n["html"][:120] for n in v["nodes"][:3]]) for v in faults] == []


def test_a_narrow_window_does_not_scroll_sideways(browser: Any, report: Path, run: RunFolder) -> None:
    item = next(r for r in records(run, "items") if r["task"] == "xcopa" and r["language"] == "ar")
    with Watched(browser, report, f"#item={link_id(item['key'])}", viewport={"width": 360, "height": 740}) as view:
        view.page.wait_for_selector(".item-head")
        assert view.page.evaluate("document.documentElement.scrollWidth") <= 360


def test_paper_has_the_tables_and_the_opened_item(browser: Any, report: Path, run: RunFolder) -> None:
    item = next(r for r in records(run, "items") if r["task"] == "xcopa")
    with Watched(browser, report, f"#item={link_id(item['key'])}", color_scheme="dark") as view:
        view.page.wait_for_selector(".item-head")
        view.page.emulate_media(media="print")
        for selector, shown in (
            (".filters", False),
            ("#list", False),
            (".bar", False),
            ("table.cells", True),
            (".chart circle", True),
            (".options", True),
        ):
            assert view.page.locator(selector).first.is_visible() == shown, selector
        assert view.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_two_runs_stand_side_by_side(browser: Any, run: RunFolder, tmp_path: Path) -> None:
    """One question asked in both runs is one item; another protocol is another table."""
    other = simulate(tmp_path / "other", items=ITEMS, variants=("base", "qalign"), languages=("en",), tasks=("xcopa",), seed=9)
    write_results(other)
    changed = simulate(tmp_path / "changed", items=5, variants=("base",), languages=("en",), tasks=("xcopa",), protocol="another")
    write_results(changed)
    target = tmp_path / "report.html"
    write_html_report(open_runs([run.path, other.path, changed.path]), target)
    with Watched(browser, target) as view:
        assert view.page.locator("h2.run").all_inner_texts() == [
            "A run lens + xsft on simulated",
            "B other qalign on simulated",
            "C changed Base only on simulated",
        ]
        assert view.page.locator("table.answer").count() == 3 and "there is nothing to compare" in view.page.inner_text(
            "#summary"
        )
        tables = view.page.locator("table.cells:has(caption:has-text('XCOPA'))")
        assert tables.count() == 2
        assert "A run · lens" in tables.nth(0).inner_text() and "B other · qalign" in tables.nth(0).inner_text()
        assert "not comparable" in tables.nth(1).inner_text() and "A run" not in tables.nth(1).locator("tbody").inner_text()
        assert view.trouble == []


HOSTILE = (
    "<script>window.pwned = 1; alert(1)</script>",
    "</script><script>window.pwned = 2</script>",
    "</template></div></article><img src=x onerror='window.pwned = 3'>",
    "[click](javascript:window.pwned=4) <a href='javascript:window.pwned=5'>click</a>",
    "\u202egnitset\u202c \u2066isolated\u2069 end",
    "x" * 1_000_000,
    "half a pair \ud83d and on \x00 \x1b[31m",
    "<style>body{display:none}</style><base href='https://example.org/'><meta http-equiv=refresh content='0;url=https://example.org'>",
    "{{ 7 * 7 }} {% raw %} ${window.pwned = 6} <!-- --> ]]> &lt;b&gt;",
)


def test_nothing_that_a_model_writes_runs(browser: Any, tmp_path: Path) -> None:
    folder = build_run(tmp_path / "run", items=len(HOSTILE), languages=("en", "ar"), awkward=False)
    path = folder.path / "items" / "answers.jsonl"
    found = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    for number, record in enumerate(found):
        record["text"] = HOSTILE[number // 4 % len(HOSTILE)]
    lines = [json.dumps(record, ensure_ascii=False).encode("utf-8", "surrogatepass") for record in found]
    lines[3] = lines[3].replace(b"pwned", b"pw\xff\xfened")
    path.write_bytes(b"\n".join([*lines, b"{not a record"]) + b"\n")
    about = folder.read_json("variants.json")
    attack = HOSTILE[2] + '"><svg onload="window.pwned=7">' + "\u202e"
    for task in about["tasks"].values():
        task["title"] = f"MT {attack}"
    about.update(backbone=attack, gaps=[attack])
    folder.write_json("variants.json", about)
    # The damaged lines would keep results from being made: they are made before, as of a run that was damaged later.
    whole = path.read_bytes()
    path.write_bytes(b"\n".join(json.dumps(r, ensure_ascii=False).encode("utf-8", "surrogatepass") for r in found) + b"\n")
    write_results(folder)
    path.write_bytes(whole)
    target = tmp_path / "report.html"
    write_html_report(open_runs([folder.path]), target)
    with Watched(browser, target) as view:
        assert "items/answers.jsonl: 1 damaged line left out" in view.page.inner_text("#summary")
        assert "no UTF-8" in view.page.inner_text("#summary")
        for number in range(len(HOSTILE)):
            view.page.locator("#list button").nth(number).click()
            view.until(f"document.querySelector('.item-head h3')?.textContent.endsWith('item {number + 1}')")
            shown = "\n".join(view.page.locator("#detail .answer .text").all_inner_texts())
            probe = {4: "U+202E", 5: "x" * 1000, 6: "U+D83D", 8: "{{ 7 * 7 }}"}.get(number, HOSTILE[number][:40])
            assert probe in shown, number
            for more in view.page.locator("#detail .more").all()[:1]:
                more.click()
        long = view.page.locator("#list button").nth(5)
        long.click()
        view.page.wait_for_selector("#detail .more")
        view.page.locator("#detail .more").first.click()
        assert (
            view.page.evaluate("Math.max(...[...document.querySelectorAll('#detail .text')].map((e) => e.textContent.length))")
            == 1_000_000
        )
        assert view.page.evaluate("window.pwned") is None
        assert view.page.locator("a[href^='javascript:'], #detail script, #detail img, main script, main style").count() == 0
        assert view.page.locator("body").is_visible() and view.page.url.startswith(target.as_uri())
        assert view.requests == [target.as_uri()] and view.trouble == []


def test_the_policy_stops_what_would_get_through(browser: Any, report: Path, tmp_path: Path) -> None:
    """Were a sign ever left unescaped, the page's own policy would still keep it from running or asking."""
    torn = tmp_path / "torn.html"
    attack = "<script>window.pwned = 1</script><img src='http://127.0.0.1:9/x.png' onerror='window.pwned = 2'>"
    torn.write_text(report.read_text(encoding="utf-8").replace("<h2>Tables</h2>", f"<h2>Tables</h2>{attack}"), encoding="utf-8")
    with Watched(browser, torn) as view:
        assert view.page.evaluate("window.pwned") is None
        refused = [text for text in view.trouble if "Content Security Policy" in text]
        assert len(refused) >= 2, view.trouble

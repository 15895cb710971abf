"""The first screen of the report: its sentences, its numbers, its links and its copies, of whole and of odd runs."""

from __future__ import annotations

import csv
import html
import io
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from simulated_run import simulate
from truths import truth

from lensbench.numbers.results import collect_results
from lensbench.records import RunFolder
from lensbench.reporting.answer import answer_of
from lensbench.reporting.html.page import render_html_report
from lensbench.reporting.open_runs import open_runs
from lensbench.reporting.run_view import RunView
from lensbench.stages.results import store_results, write_results

OLD = Path(__file__).parents[1] / "support" / "old_run"
SMALL: dict[str, Any] = {
    "items": 12,
    "variants": ("base", "lens", "xsft"),
    "languages": ("en", "zh", "ar"),
    "tasks": ("xcopa", "mt_bench"),
}


class Text(HTMLParser):
    """The text that a page shows, without its data, script and style."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden += tag in ("script", "style")
        if tag in ("td", "th", "dt", "dd", "p", "span"):
            self.parts.append(" ")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in ("script", "style")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.parts.append(data)


def text_of(markup: str) -> str:
    parser = Text()
    parser.feed(markup)
    return " ".join("".join(parser.parts).split())


def summary(page: str) -> str:
    return page[page.index('<section id="summary">') : page.index("</section>", page.index('<section id="summary">'))]


def meta_of(page: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(re.findall(r'id="meta">(.*?)</script>', page, re.S)[0])
    return found


def page_of(folder: RunFolder) -> str:
    write_results(folder)
    return render_html_report(open_runs([folder.path]))


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """LENS gains 6 points on the targets; the other loses 8 in English."""
    gains = {"lens": {"targets": 0.06}, "forgets": {"en": -0.08}}
    folder = truth(tmp_path_factory.mktemp("known") / "run", gains, seed=1, items=200)
    store_results(folder, collect_results(folder))
    return folder


def test_the_first_screen_says_what_is_true(known: RunFolder) -> None:
    page = render_html_report([RunView.of(known)])
    said = text_of(summary(page))
    helped = said[said.index("Did it help?") : said.index("Did English suffer?")]
    english = said[said.index("Did English suffer?") : said.index("Is it real?")]
    assert re.search(r"lens: better on the targets: accuracy \+[3-9]\.\d points", helped)
    assert "forgets: not distinguishable on the targets" in helped
    assert re.search(r"forgets: worse in English: accuracy -\d+\.\d points, at worst -\d+\.\d", english)
    assert "lens: worse" not in english and "The margin is 1 point of accuracy." in english
    assert page.index('id="summary"') < page.index('id="averages"') < page.index('id="pairs"') < page.index('id="tables"')
    assert page.index('id="tables"') < page.index('id="figures"') < page.index('id="items"')


def test_the_page_says_the_sentences_of_the_answer(known: RunFolder) -> None:
    said = text_of(summary(render_html_report([RunView.of(known)])))
    answer = answer_of(RunView.of(known))
    statements = [*answer.voids, *(one for _, found in answer.questions for one in found)]
    assert len(statements) > 5
    for statement in statements:
        assert " ".join(statement.text.split()) in said, statement


def test_numbers_of_the_table_are_those_of_the_results(known: RunFolder) -> None:
    """Read back from the page: difference, interval, at worst, and marks only where there is a verdict."""
    page = render_html_report([RunView.of(known)])
    table = re.findall(r'<table class="answer">.*?</table>', page, re.S)[0]
    rows = {text_of(row).split()[0]: text_of(row) for row in re.findall(r"<tr>.*?</tr>", table, re.S)[2:]}
    marks = {"better": "▲", "worse": "▼", "not distinguishable": "≈"}
    checked = 0
    for average in json.loads((known.path / "results.json").read_text(encoding="utf-8"))["averages"]:
        if average["variant"] == "base" or average["role"] not in ("endpoint", "english"):
            continue
        row = rows[average["variant"]]
        assert f"{100 * average['delta']:+.1f}" in row
        if average["role"] == "endpoint":
            assert f"[{100 * average['delta_low']:+.1f}, {100 * average['delta_high']:+.1f}]" in row
            assert marks[average["verdict"]] in row
        else:
            assert f"at worst {100 * average['at_worst']:+.1f}" in row
            words = {"worse": "worse", "shown": "kept", "not shown": "not shown"}
            assert f"at worst {100 * average['at_worst']:+.1f} · {words[average['retention']]}" in row
        checked += 1
    assert checked == 4


def links(markup: str) -> list[str]:
    return [html.unescape(link) for link in re.findall(r'href="(#[^"]*=[^"]*)"', markup)]


def test_every_number_leads_to_items_that_are_there(tmp_path: Path) -> None:
    page = page_of(simulate(tmp_path / "run", **SMALL))
    meta = meta_of(page)
    groups = {(f"{g['task']}@{g['profile']}", g["language"]) for g in meta["groups"]}
    labels = {column["label"] for column in meta["columns"]}
    shown = summary(page)
    values = re.findall(r'<span class="value">(.*?)</span>', shown, re.S)
    assert len(values) > 30 and all("<a href=" in value for value in values)
    for link in links(page):
        asked = parse_qs(link[1:])
        places = {(task, code) for task in asked["task"][0].split(",") for code in asked["language"][0].split(",")}
        assert places & groups and {task for task, _ in places} <= {task for task, _ in groups}, link
        assert set(asked.get("variant", ())) <= labels, link


def test_numbers_without_items_have_no_link(tmp_path: Path) -> None:
    folder = simulate(tmp_path / "run", **SMALL)
    write_results(folder)
    view = RunView.of(folder)
    (folder.path / "items" / "items.jsonl").write_text("", encoding="utf-8")
    page = render_html_report([RunView(RunFolder(folder.path), view.results)])
    assert links(summary(page)) == [] and "better" in summary(page)


def test_copies_hold_the_table_and_nothing_of_them_is_interpreted(known: RunFolder, tmp_path: Path) -> None:
    copies = meta_of(render_html_report([RunView.of(known)]))["copies"][0]
    rows = list(csv.DictReader(io.StringIO(copies["csv"])))
    averages = json.loads((known.path / "results.json").read_text(encoding="utf-8"))["averages"]
    for row in rows:
        role = "endpoint" if row["of"] == "targets" else "english"
        one = next(a for a in averages if a["role"] == role and a["variant"] == row["variant"])
        assert float(row["difference"]) == pytest.approx(100 * one["delta"], rel=1e-4)
        assert float(row["low"]) == pytest.approx(100 * one["delta_low"], rel=1e-4)
    assert len(rows) == 4 and {row["variant"] for row in rows} == {"lens", "forgets"}
    lines = copies["markdown"].splitlines()
    enhanced = len(RunView.of(known).variants) - 1
    assert len({line.count(" | ") for line in lines}) == 1 and len(lines) == 2 + enhanced
    assert r"\begin{tabular}" in copies["latex"] and copies["latex"].count(r"\\") == 1 + enhanced
    page = page_of(simulate(tmp_path / "run", **{**SMALL, "variants": ("base", "=cmd&_%[x](y)")}))
    copies = meta_of(page)["copies"][0]
    assert r"=cmd\&\_\%{[}x{]}(y) & " in copies["latex"] and r"=cmd&amp;\_%\[x\](y)" in copies["markdown"]
    assert "\n'=cmd&_%[x](y)," in copies["csv"]


# --- odd runs: each has a first screen that is true


def test_a_run_of_base_alone_shows_values_and_says_that_nothing_is_compared(tmp_path: Path) -> None:
    page = page_of(simulate(tmp_path / "run", **{**SMALL, "variants": ("base",)}))
    said = text_of(summary(page))
    assert "Only base was evaluated" in said and "Did it help?" not in said and not re.search("[▲▼≈]", said)
    assert re.search(r"base itself \d", said)


def test_a_run_without_base_compares_nothing(tmp_path: Path) -> None:
    said = text_of(summary(page_of(simulate(tmp_path / "run", **{**SMALL, "variants": ("lens", "xsft")}))))
    assert "The run has no base" in said and "not compared" in said and "base itself" not in said
    assert not re.search(r"[▲▼≈] [+-]", said)


def test_a_run_without_english_says_so(tmp_path: Path) -> None:
    page = page_of(simulate(tmp_path / "run", **{**SMALL, "languages": ("zh",)}))
    said = text_of(summary(page))
    assert "Not measured: the run asks nothing in English." in said and "at worst" not in said
    assert re.findall(r'<abbr title="[^"]*">(\w+)</abbr>', page) == ["zh"] * 3


def test_one_item_is_too_few(tmp_path: Path) -> None:
    said = text_of(summary(page_of(simulate(tmp_path / "run", **{**SMALL, "items": 1}))))
    assert "6 items" in said and "rests on 2 scores: lens, xsft." in said and "too few or too alike" in said
    assert "▲ +" not in said and "▼ -" not in said


def test_a_task_without_a_score_is_a_warning(tmp_path: Path) -> None:
    folder = simulate(tmp_path / "run", **SMALL)
    path = folder.path / "items" / "score.jsonl"
    lost = {"state": "not_finite", "metrics": {}, "loglikelihoods": [None] * 4}
    lines = [json.dumps({**json.loads(line), **lost}) for line in path.read_text(encoding="utf-8").splitlines()]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    said = text_of(summary(page_of(RunFolder(folder.path))))
    assert "No score: xcopa/en, xcopa/zh, xcopa/ar." in said and "asked language" in said


def test_judges_are_told_apart_and_ratings_alone_suffice(tmp_path: Path) -> None:
    folder = simulate(tmp_path / "run", **{**SMALL, "tasks": ("mt_bench",)})
    (folder.path / "items" / "identified.jsonl").unlink()
    path = folder.path / "items" / "verdicts.jsonl"
    own = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    more = [{**r, "key": f"{r['answer']}:{j}:0", "judge": j} for j in ("mild:m:aa", "other:gpt:bb") for r in own]
    path.write_text("".join(json.dumps(record) + "\n" for record in [*own, *more]), encoding="utf-8")
    page = page_of(RunFolder(folder.path))
    said = text_of(summary(page))
    for judge in ("strict (m)", "mild (m)", "other (gpt)"):
        assert f"Judge's rating, {judge}" in said and f"judge's rating, {judge} " in said
    assert "Accuracy" not in said and page.count('scope="colgroup" colspan="3">Target languages') == 1


def test_forty_variants_have_a_row_each_and_fold_their_sentences(tmp_path: Path) -> None:
    variants = ("base", *(f"v{number}" for number in range(40)))
    page = page_of(simulate(tmp_path / "run", **{**SMALL, "items": 4, "variants": variants, "tasks": ("xcopa",)}))
    shown = summary(page)
    table = re.findall(r'<table class="answer">.*?</table>', shown, re.S)[0]
    assert [f"v{n}" for n in range(40)] == re.findall(r'<th scope="row">(v\d+)</th>', table)
    assert "<h1>40 variants on simulated</h1>" in shown and "32 more</summary>" in shown


def test_an_unfinished_run_says_so_first(tmp_path: Path) -> None:
    folder = simulate(tmp_path / "run", **SMALL)
    path = folder.path / "items" / "score.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join(lines[: len(lines) // 2]) + "\n", encoding="utf-8")
    shown = text_of(summary(page_of(RunFolder(folder.path))))
    assert shown.index("The run is not finished") < shown.index("Did it help?")


def test_results_of_an_older_version_give_no_verdict(tmp_path: Path) -> None:
    folder = simulate(tmp_path / "run", **SMALL)
    write_results(folder)
    content = json.loads((folder.path / "results.json").read_text(encoding="utf-8"))
    content.update(averages=[], pairs=[])
    (folder.path / "results.json").write_text(json.dumps(content), encoding="utf-8")
    from lensbench.numbers.run_results import read_results

    page = render_html_report([RunView(folder, read_results(content))])
    said = text_of(summary(page))
    assert "they have no endpoints, and no verdict is given" in said and not re.search("[▲▼≈]", said)
    assert 'id="averages"' not in page and 'id="pairs"' not in page and 'table class="cells"' in page


def test_runs_side_by_side_have_an_answer_each(known: RunFolder, tmp_path: Path) -> None:
    shutil.copytree(OLD / "lens", tmp_path / "old")
    page = render_html_report([RunView.of(known, "A known"), RunView.of(RunFolder(tmp_path / "old"), "B old")])
    shown = summary(page)
    assert shown.count('<h2 class="run">') == 2 and shown.count("Did it help?") == 2
    assert {parse_qs(link[1:]).get("variant", ["A"])[0][0] for link in links(shown)} == {"A", "B"}
    assert len(meta_of(page)["copies"]) == 2


def test_the_matrix_of_pairs_is_that_of_the_results(known: RunFolder) -> None:
    (pair,) = json.loads((known.path / "results.json").read_text(encoding="utf-8"))["pairs"]
    page = render_html_report([RunView.of(known)])
    matrix = text_of(re.findall(r'<table class="pairs">.*?</table>', page, re.S)[0])
    assert f"{100 * pair['delta']:+.1f}" in matrix and f"{-100 * pair['delta']:+.1f}" in matrix
    assert {"better": ("▲", "▼"), "worse": ("▲", "▼"), "not distinguishable": ("≈",)}[pair["verdict"]][0] in matrix

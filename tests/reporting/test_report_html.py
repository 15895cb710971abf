"""The report without a browser: outcomes, packed items, health, tables, damage, and the same bytes again."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import re
import struct
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from judged_run import build_run
from simulated_run import simulate

from lensbench.errors import RunError, UsageError
from lensbench.numbers.results import collect_results, current_results
from lensbench.numbers.run_results import read_results
from lensbench.records import RunFolder
from lensbench.records.damage import Damage
from lensbench.reporting.blocks import blocks_of
from lensbench.reporting.columns import columns_of
from lensbench.reporting.html import Figure, write_html_report
from lensbench.reporting.html.gather import Entry, gather
from lensbench.reporting.html.health import health_of, native_share
from lensbench.reporting.html.item_cell import ItemCell
from lensbench.reporting.html.outcome import ASKED, BROKEN, FIXED, FLIPPED, OFF_TARGET, REPETITIVE, RIGHT, UNSCORED, outcome
from lensbench.reporting.html.pack import link_id, shared_ends
from lensbench.reporting.html.page import render_html_report
from lensbench.reporting.html.text import json_for_page, plain, visible
from lensbench.reporting.open_runs import open_runs
from lensbench.reporting.run_view import RunView
from lensbench.reporting.text.table import notes
from lensbench.stages.results import store_results, write_results


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    folder = simulate(
        tmp_path_factory.mktemp("html") / "run",
        items=15,
        variants=("base", "lens"),
        languages=("en", "ar"),
        tasks=("m_mmlu", "mt_bench"),
    )
    write_results(folder)
    return folder


def records(folder: RunFolder, stage: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder.path / "items" / f"{stage}.jsonl").read_text(encoding="utf-8").splitlines()]


def unpack(page: str) -> tuple[dict[str, Any], bytes, list[list[dict[str, Any]]]]:
    """What a browser would read out of a page: meta, index, blocks."""
    parts = dict(re.findall(r'<script type="application/[a-z-]+" id="(\w+)">(.*?)</script>', page, re.S))
    meta = json.loads(parts.pop("meta"))
    raw = {name: zlib.decompress(base64.b64decode(text)) for name, text in parts.items()}
    return meta, raw.pop("index"), [json.loads(raw[f"b{i}"]) for i in range(len(raw))]


# --- outcomes


@pytest.mark.parametrize(("base", "own"), [*itertools.product([True, False, None], repeat=2)])
@pytest.mark.parametrize("same", [True, False])
def test_outcomes_by_their_definitions(base: bool | None, own: bool | None, same: bool) -> None:
    def cell(right: bool | None, gave: int) -> ItemCell:
        return ItemCell(right=right, gave=None if right is None else gave, unscored=right is None)

    bits = outcome(cell(own, 0 if same else 1), cell(base, 0))
    assert bool(bits & FIXED) == (base is False and own is True)
    assert bool(bits & BROKEN) == (base is True and own is False)
    assert bool(bits & FLIPPED) == (not same and base is not None and own is not None)
    assert bool(bits & UNSCORED) == (own is None) and bool(bits & RIGHT) == (own is True) and bits & ASKED
    assert outcome(cell(own, 1), None) & (FIXED | BROKEN | FLIPPED) == 0
    assert outcome(None, cell(base, 0)) == 0


def test_an_answer_that_repeats_itself_fixes_nothing(tmp_path: Path) -> None:
    """In the asked language where base's is not, and nonsense all the same: it is marked and not counted as fixed."""
    wrong, right = ItemCell(right=False, gave=("en",), off_target=True), ItemCell(right=True, gave=("zh",))
    assert outcome(right, wrong) & FIXED and not outcome(right, wrong) & REPETITIVE
    nonsense = replace(right, repetitive=True)
    assert outcome(nonsense, wrong) & (FIXED | REPETITIVE | RIGHT) == REPETITIVE | RIGHT
    # On a page: one answer of a run becomes one word, said a hundred times.
    folder = simulate(tmp_path / "run", items=12, variants=("base", "lens"), languages=("zh",), tasks=("open_questions",))
    path = folder.path / "items" / "answers.jsonl"
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    changed = next(line for line in lines if line["variant"] == "lens" and line["state"] == "ok")
    changed["text"] = "你好。" * 100
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
    _, index, blocks = unpack(render_html_report([RunView.of(RunFolder(folder.path))]))
    keys = [content["k"] for block in blocks for content in block]
    marked = [key for number, key in enumerate(keys) if index[number * 2 + 1] & REPETITIVE]
    assert marked == [changed["item"]]


def test_the_page_holds_every_record(run: RunFolder) -> None:
    page = render_html_report([RunView.of(run)])
    meta, index, blocks = unpack(page)
    contents = [content for block in blocks for content in block]
    assert meta["starts"] == list(itertools.accumulate((len(b) for b in blocks[:-1]), initial=0))
    groups = [group for group in meta["groups"] for _ in range(group["count"])]
    items = {record["key"]: record for record in records(run, "items")}
    assert len(contents) == len(groups) == len(items) == 60
    assert [c["variant"] for c in meta["columns"]] == ["base", "lens"]

    size, columns = len(contents), len(meta["columns"])
    rows = struct.unpack(f"<{size}I", index[columns * size : (columns + 4) * size])
    links = index[(columns + 4) * size :].hex()
    scores = {(r["item"], r["variant"]): r for r in records(run, "score")}
    answers = {(r["item"], r["variant"], r["turn"]): r for r in records(run, "answers")}
    verdicts = {r["answer"]: r for r in records(run, "verdicts")}
    languages = {(r["item"], r["variant"]): r for r in records(run, "identified")}
    for number, (group, content) in enumerate(zip(groups, contents, strict=True)):
        item = items[content["k"]]
        assert (group["task"], group["language"], rows[number]) == (item["task"], item["language"], item["doc_id"])
        assert (
            links[10 * number : 10 * number + 10] == hashlib.sha256(item["key"].encode()).hexdigest()[:10] == link_id(item["key"])
        )
        assert group["head"] + content["p"] + group["tail"] == item["requests"][0][0]
        for column, variant in enumerate(("base", "lens")):
            bits, cell = index[number * columns + column], content["v"][str(column)]
            if item["task"] == "m_mmlu":
                record = scores[item["key"], variant]
                assert cell["l"] == [None if v is None else round(v, 4) for v in record["loglikelihoods"]]
                assert content["o"] == ["A", "B", "C", "D"] and "ABCD"[content["g"]] == item["gold"]
                assert bool(bits & RIGHT) == (record["metrics"].get("acc") == 1)
                assert bool(bits & UNSCORED) == (record["state"] != "ok")
                continue
            on_target = set(languages[item["key"], variant]["metrics"].values()) == {1.0}
            assert bool(bits & RIGHT) == on_target != bool(bits & OFF_TARGET)
            assert content["t"] == item["turns"]
            for turn, shown in enumerate(cell["a"], start=1):
                record = answers[item["key"], variant, turn]
                assert (shown["turn"], shown["text"], shown["state"]) == (turn, record["text"], record["state"])
                (verdict,) = shown["verdicts"]
                graded = verdicts[record["key"]]
                assert (verdict["rating"], verdict["state"], verdict["text"]) == (
                    graded["rating"],
                    graded["state"],
                    graded["reply"]["text"],
                )


def test_the_same_run_gives_the_same_bytes(run: RunFolder, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(run.path, tmp_path / "elsewhere")
    first, second = tmp_path / "1.html", tmp_path / "2.html"
    write_html_report(open_runs([run.path]), first)
    write_html_report(open_runs([tmp_path / "elsewhere"]), second)
    assert first.read_bytes() == second.read_bytes()


def test_the_policy_allows_only_the_page_s_own_script_and_style(run: RunFolder) -> None:
    page = render_html_report([RunView.of(run)], [Figure("A figure", '<svg xmlns="http://www.w3.org/2000/svg"/>')])
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]+)"', page)
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'" and "unsafe" not in policy

    def digest(text: str) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    assert re.findall(r"<style>(.*?)</style>", page, re.S) and [
        digest(s) for s in re.findall(r"<style>(.*?)</style>", page, re.S)
    ] == [rules["style-src"]]
    assert [digest(s) for s in re.findall(r"<script>(.*?)</script>", page, re.S)] == [rules["script-src"]]
    assert not re.search(r'\s(style|on\w+)="', page) and not re.search(r'(?:src|href)="(?!data:|#)', page)
    assert "innerHTML" not in page and "insertAdjacentHTML" not in page and "document.write" not in page


# --- text


def test_odd_characters_are_shown_by_their_code_points() -> None:
    shown = visible("a\u202eb <b> \ud83d c\x00\u200dd")
    assert shown.count('class="odd"') == 3 and "U+202E" in shown and "U+D83D" in shown and "U+0000" in shown
    assert "&lt;b&gt;" in shown and "\u200d" in shown, "joiners are part of scripts"
    assert plain('x\u2066"') == 'xU+2066"'
    assert (
        "<" not in json_for_page({"a": "</script><!--"}) and json.loads(json_for_page("</script>&\ud83d")) == "</script>&\ud83d"
    )


@pytest.mark.parametrize(
    ("prompts", "head", "tail"),
    [
        (
            ["sys\nuser\nWhy?\nAnswer:\n", "sys\nuser\nWho?\nAnswer:\n", "sys\nuser\nHow?\nAnswer:\n"],
            "sys\nuser\n",
            "\nAnswer:\n",
        ),
        (["same\n", "same\n"], "", ""),
        (["a\nWhat is x", "a\nWhat is y", "a\nWhat is z"], "a\n", ""),
        (["a\nb\n", "a\nb\n", "a\nb\n"], "a\nb\n", ""),
        (["Be good. Choose: The cat", "Be good. Choose: The dog", "Be good. Choose: The cow"], "Be good. Choose: ", ""),
        (["", "x", "y"], "", ""),
    ],
)
def test_what_prompts_share_is_taken_in_whole_lines_and_sentences(prompts: list[str], head: str, tail: str) -> None:
    assert shared_ends(prompts) == (head, tail)


# --- health


def entry(
    question: str, *, choices: tuple[str, ...] = ("x", "y"), gold: int | None = 0, language: str = "ar", number: int = 0
) -> Entry:
    return Entry(
        f"k{number}",
        "t",
        language,
        "lm-eval",
        number,
        0,
        {"question": question},
        question,
        tuple(("", c) for c in choices),
        gold,
        (),
    )


def test_health_counts_what_is_wrong_with_the_data() -> None:
    arabic, english = "ما هي عاصمة فرنسا؟", "What is the capital of France?"
    found = health_of(
        [
            entry(arabic, number=1),
            entry(f"  {arabic}\u00a0", number=2, gold=1),
            entry(arabic, number=3, choices=("x", "z")),
            entry(english, number=4),
            entry(f"{arabic}\nA. باريس\nB. \n", number=5),
            entry("12 + 3 = ?", number=6, gold=None),
            entry("", number=7, choices=("x", " ")),
        ]
    )
    (one,) = found
    assert (one.items, one.duplicates, one.empty, one.other_script, one.gold) == (7, 1, 2, 1, (5, 1))
    (unknown,) = health_of([entry("text", language="xx")])
    assert unknown.other_script is None


@pytest.mark.parametrize(
    ("text", "names", "share"),
    [("abcد", ("ARABIC",), 0.25), ("日本語のテスト", ("CJK", "HIRAGANA", "KATAKANA"), 1.0), ("123 !?", ("LATIN",), None)],
)
def test_shares_of_scripts(text: str, names: tuple[str, ...], share: float | None) -> None:
    assert native_share(text, names) == share


# --- tables


def test_unlike_protocols_and_profiles_never_share_a_block(run: RunFolder, tmp_path: Path) -> None:
    same = simulate(tmp_path / "same", items=5, variants=("base", "xsft"), languages=("en",), tasks=("m_mmlu",))
    unlike = simulate(tmp_path / "unlike", items=5, variants=("base",), languages=("en",), tasks=("m_mmlu",), protocol="other")
    runs = [RunView(f, read_results(collect_results(f)), label) for f, label in ((run, "A"), (same, "B"), (unlike, "C"))]
    about = collect_results(unlike)
    profile = RunView(unlike, read_results(json.loads(json.dumps(about).replace("lens-paper", "lm-eval"))), "D")
    runs.append(profile)
    columns = columns_of(runs)
    assert [c.label for c in columns] == ["A · base", "A · lens", "B · base", "B · xsft", "C · base", "D · base"]
    assert [c.base for c in columns] == [None, 0, None, 2, None, None] and [c.colour for c in columns] == [0, 1, 0, 2, 0, 0]
    blocks = [b for b in blocks_of(runs, columns) if b.task == "m_mmlu"]
    assert [(b.profile, b.columns, bool(b.note)) for b in blocks] == [
        ("lens-paper", [0, 1, 2, 3], False),
        ("lens-paper", [4], True),
        ("lm-eval", [5], False),
    ]


def test_a_table_has_no_verdict_and_says_what_a_guess_would_score(run: RunFolder) -> None:
    """Single cells are exploratory: a difference has its sign and interval, and no ▲ or ▼."""
    page = render_html_report([RunView.of(run)])
    tables = page[page.index('<section id="tables">') : page.index('<section id="figures">')]
    assert not re.search("[▲▼≈]", tables) and "mostly go unseen" not in page
    cells = [cell for cell in RunView.of(run).results.cells if cell.metric == "acc"]
    assert tables.count("chance 25.0") == len(cells) == 4, "four letters to choose from"


# --- damage and bad input


def test_damaged_lines_are_counted_named_and_left_out(run: RunFolder, tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(run.path, copy)
    path = copy / "items" / "score.jsonl"
    lines = path.read_bytes().splitlines()
    lines[3], lines[7] = b'{"key": 5}', b"\x80 nonsense"
    path.write_bytes(b"\n".join(lines) + b'\n{"key": "unfinished')
    report = RunView.of(RunFolder(copy, lenient=True))
    page = render_html_report([report])
    assert [(damage.file, damage.skipped) for damage in report.damage] == [("score.jsonl", [4, 8])]
    assert "items/score.jsonl: 2 damaged lines left out (4, 8)." in page
    entries = gather([report])
    assert sum(len(e.cells) for e in entries) == sum(len(e.cells) for e in gather([RunView.of(run)])) - 2
    (copy / "results.json").unlink()
    with pytest.raises(RunError, match=r"score\.jsonl, line 4"):
        RunView.of(RunFolder(copy))
    made = RunView.of(RunFolder(copy, lenient=True)).results
    assert made.damaged == (Damage("score.jsonl", [4, 8], [8]),)
    whole = sum(cell.n for cell in RunView.of(run).results.cells if not cell.source)
    assert sum(cell.n for cell in made.cells if not cell.source) == whole - 2
    assert "! items/score.jsonl: 2 damaged lines left out (4, 8)" in notes(made)


def test_show_and_table_leave_damaged_lines_out_and_say_so(cli: Any, run: RunFolder, tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(run.path, copy)
    path = copy / "items" / "score.jsonl"
    path.write_bytes(b"broken\n" + path.read_bytes())
    for command in ("show", "report"):
        done = cli(command, copy, *(("--html", tmp_path / "x.html") if command == "report" else ()))
        assert done.returncode == 0, done.stderr
        assert "score.jsonl: 1 damaged line" in done.stdout + done.stderr


def test_stored_results_serve_only_while_they_are_of_these_records(tmp_path: Path) -> None:
    import os

    folder = simulate(tmp_path / "run", items=4, variants=("base",), languages=("en",), tasks=("m_mmlu",))
    write_results(folder)
    stored = folder.read_json("results.json")
    store_results(folder, {**stored, "backbone": "marked"})
    assert current_results(folder)["backbone"] == "marked"
    log = folder.path / "items" / "score.jsonl"
    whole = log.read_bytes()
    os.utime(log, (1, 1))
    assert current_results(folder)["backbone"] == "marked", "times do not matter"
    log.write_bytes(whole.rpartition(b"\n")[0].rpartition(b"\n")[0] + b"\n")
    assert current_results(folder)["backbone"] == "simulated"


def test_an_unfinished_run_is_reported_with_a_banner(tmp_path: Path) -> None:
    folder = build_run(tmp_path / "run", items=2, awkward=True)
    target = tmp_path / "report.html"
    (report,) = open_runs([folder.path])
    write_html_report([report], target)
    assert not report.finished and "The run is not finished" in target.read_text(encoding="utf-8")


def test_the_command(cli: Any, run: RunFolder, tmp_path: Path) -> None:
    target, figure = tmp_path / "out.html", tmp_path / "my_figure.svg"
    figure.write_text('<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>')
    done = cli("report", run.path, "--html", target, "--figure", figure)
    assert done.returncode == 0 and done.stdout.strip() == f"report: {target}", done.stderr
    page = target.read_text(encoding="utf-8")
    assert 'alt="my figure"' in page and "alert(1)" not in page
    before = target.read_bytes()
    for arguments, message in (
        ((run.path, tmp_path / "nothing", "--html", target), "no run at"),
        ((run.path, run.path, "--html", target), "named twice"),
        ((run.path, tmp_path), "no output file"),
        ((run.path, "--html", target, "--figure", tmp_path / "nothing.svg"), "cannot be read"),
    ):
        refused = cli("report", *arguments)
        assert refused.returncode == 2 and message in refused.stderr and "Traceback" not in refused.stderr, refused.stderr
    assert target.read_bytes() == before and not list(tmp_path.glob("*.partial"))


def test_a_run_of_an_older_version_is_refused_with_what_to_do(tmp_path: Path) -> None:
    folder = simulate(tmp_path / "run", items=3, variants=("base",), languages=("en",), tasks=("mt_bench",))
    path = folder.path / "items" / "identified.jsonl"
    old = [{k: v for k, v in json.loads(line).items() if k != "turns"} for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(record) + "\n" for record in old))
    with pytest.raises(RunError, match="older version"):
        RunView.of(folder)
    with pytest.raises(UsageError):
        RunView.of(RunFolder.existing(tmp_path))

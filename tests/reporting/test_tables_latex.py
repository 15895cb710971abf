"""LaTeX of every table in a class of two columns and in a plain article: no line is too wide, and no print below 7 pt."""

from __future__ import annotations

import re
import shutil
import subprocess
import zlib
from pathlib import Path
from typing import Any

import pytest
from simulated_run import CLOSED, simulate
from table_runs import cell, cost, results, small, write_run
from table_texts import NASTY, table_with

from lensbench.reporting.open_runs import open_runs
from lensbench.reporting.tables import build_table, load_table_spec, render_table, table_specs
from lensbench.reporting.tables.latex_pages import NARROW, WIDE, pages
from lensbench.reporting.tables.latex_width import FOOTNOTE, SCRIPT, SMALL, text_width, wrapped
from lensbench.reporting.tables.model import Cell, Column, Notes, Row, Section, Table

CLASSES = {
    "two columns": r"\documentclass[twocolumn]{article}",
    "article": r"\documentclass{article}",
    "article of 11 pt": r"\documentclass[11pt]{article}",
}
PREAMBLE = r"\usepackage[T1]{fontenc}\usepackage{lmodern}\usepackage{booktabs}\begin{document}"


def compiled(folder: Path, head: str, texts: list[str]) -> tuple[str, list[float]]:
    """The log, and the size of every font that the PDF selects, in points of TeX."""
    program = shutil.which("pdflatex") or shutil.which("tectonic")
    if program is None:
        pytest.skip("neither pdflatex (Debian: texlive-latex-base, texlive-latex-recommended, lmodern) nor tectonic is installed")
    folder.mkdir(exist_ok=True)
    document = "\n".join([head, PREAMBLE, "\n\\clearpage\n".join(texts), r"\end{document}"])
    (folder / "t.tex").write_text(document, encoding="utf-8")
    plain = ["-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape"]
    arguments = plain if program.endswith("pdflatex") else ["--keep-logs"]
    done = subprocess.run([program, *arguments, "t.tex"], cwd=folder, capture_output=True, timeout=300)
    assert done.returncode == 0, done.stdout.decode("utf-8", "replace")[-3000:]
    log = (folder / "t.log").read_text(encoding="utf-8", errors="replace")
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", (folder / "t.pdf").read_bytes(), re.S)
    pages_of = [text for stream in streams if b" Tf" in (text := inflated(stream))]
    assert pages_of, "no page of the PDF could be read"
    # PDF counts 72 points to the inch, TeX 72.27.
    return log, [float(size) * 72.27 / 72 for text in pages_of for size in re.findall(rb"/F\d+ ([\d.]+) Tf", text)]


def inflated(stream: bytes) -> bytes:
    try:
        return zlib.decompress(stream)
    except zlib.error:
        return b""


def overfull(log: str) -> list[float]:
    return [float(points) for points in re.findall(r"Overfull \\hbox \(([\d.]+)pt too wide\)", log)]


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Every kind of table, with and without intervals and papers, of seven languages and of two."""
    home = tmp_path_factory.mktemp("runs")
    tasks = (*CLOSED, "open_questions", "mt_bench")
    many = simulate(home / "many", items=12, tasks=tasks).path
    two = simulate(home / "two", items=12, languages=("en", "zh"), tasks=tasks).path
    content = small()
    content["costs"] = {"lens": cost(256, 436224000), "xsft": cost(333, 8030261248)}
    settings = {"start_layer": 29, "push_strength": {"zh": 1.0}}
    cards: dict[str, Any] = {
        "lens": {"config": settings, "data": []},
        "xsft": {"config": {"n_aya": 300, "learning_rate": 1e-5}, "data": []},
    }
    paper = write_run(home / "paper", content, cards=cards)
    names = [
        "base",
        "a-name-of-a-variant-that-is-far-too-long-for-a-column/" + "x" * 90,
        "lens[start_layer=29,push_strength=0.5]",
    ]
    long = write_run(home / "long", results([cell("xcopa", "zh", name, 0.5 + 0.1 * n) for n, name in enumerate(names)]))
    made = []
    shown = set()
    for name, runs in (
        ("multilingual", [many]),
        ("averages", [many]),
        ("averages", [two]),
        ("bilingual", [two]),
        ("bilingual", [paper]),
        ("bilingual", [long]),
        ("cost", [many]),
        ("cost", [paper]),
        ("settings", [many]),
        ("settings", [paper]),
    ):
        shown.add(name)
        for intervals in (False, True):
            table = build_table(load_table_spec(name), open_runs(runs), published=runs == [paper])
            made.append(render_table(table, "latex", intervals=intervals))
    assert shown == set(table_specs())
    return made


@pytest.mark.parametrize("name", CLASSES)
def test_every_kind_fits_the_page_and_can_be_read(tmp_path: Path, texts: list[str], name: str) -> None:
    log, sizes = compiled(tmp_path / "t", CLASSES[name], texts)
    assert [points for points in overfull(log) if points > 1] == []
    assert "Missing character" not in log and "too large" not in log
    # A font of "7 pt" is 6.97 in PDF and 7.0 here.
    assert min(sizes) > 6.99 and len(sizes) > 100, min(sizes)


def test_all_characters_compile_in_every_place(tmp_path: Path) -> None:
    """Every printable character of ASCII, and scripts that pdflatex cannot set."""
    strange = ["".join(map(chr, range(32, 127))), *NASTY]
    strange.append("Ünïcödé łśćž 中文 العربية বাংলা ▲▼≈≠λ₁×±… " + " ".join(map(chr, range(0xA0, 0x180))))
    log, _ = compiled(tmp_path / "t", CLASSES["article"], [render_table(table_with(t), "latex", intervals=True) for t in strange])
    assert "Missing character" not in log


def wide(columns: int, groups: int) -> Section:
    """Columns of numbers in groups of equal size."""
    made = [Column("En", f"Task {place * groups // columns}") for place in range(columns)]
    rows = [Row(label, tuple(Cell("87.60", mark="better", delta="+12.30") for _ in made)) for label in ("base", "LENS")]
    return Section("A section", made, rows)


def test_a_wide_table_is_divided_between_tasks_and_not_shrunk() -> None:
    found = pages(wide(24, 12), intervals=False)
    assert len(found) > 1 and [column for page in found for column in page.columns] == list(range(24))
    # Two columns to a task stay together, the tables are about as wide as each other, and none is wider than the page.
    assert all(page.columns[0] % 2 == 0 and len(page.columns) % 2 == 0 for page in found)
    assert max(len(page.columns) for page in found) - min(len(page.columns) for page in found) <= 2
    assert all(page.grid.width <= {"table": NARROW, "table*": WIDE}[page.environment] for page in found)
    assert {page.size for page in found} <= {SMALL, FOOTNOTE, SCRIPT}


def test_a_narrow_table_stands_in_one_column() -> None:
    assert [page.environment for page in pages(wide(2, 1), intervals=False)] == ["table"]
    assert [page.environment for page in pages(wide(5, 1), intervals=False)] == ["table*"]


def test_a_long_table_becomes_several() -> None:
    section = Section("Long", [Column("x")], [Row(f"v{number}", (Cell("1.0"),)) for number in range(100)])
    found = pages(section, intervals=False)
    assert len(found) == 3 and [row.label for page in found for row in page.rows] == [f"v{number}" for number in range(100)]
    text = render_table(Table("t", "Title", [], [section], Notes()), "latex")
    assert [f"({n} of 3)" in text for n in (1, 2, 3)] == [True] * 3


def test_lines_are_no_wider_than_asked_and_lose_nothing() -> None:
    for text in ("First trained block", "x" * 200, "a/b/c/" * 30, "one " + "y" * 40 + " two", "中文" * 9):
        lines = wrapped(text, 60.0, FOOTNOTE)
        assert all(text_width(line, FOOTNOTE) <= 60.0 for line in lines)
        assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert wrapped("", 60.0, SMALL) == [""]


def test_the_estimated_width_is_not_below_that_of_tex(tmp_path: Path) -> None:
    """Against the widths that TeX itself measures, in all three sizes, plain and bold."""
    samples = ["87.60", "+12.30", "xSFT-Full", "LLaMA-3-8B-Instruct, Zh", "within the interval", "[84.00, 90.00]", "XStoryCloze"]
    samples += ["First trained block", "120,000", "3,072 MiB", "Average", "mmmm", "WWW", "outside by 1.30"]
    cases = [(text, size, bold) for text in samples for size in (SMALL, FOOTNOTE, SCRIPT) for bold in (False, True)]
    weights = {False: "", True: r"\bfseries "}
    lines = [rf"\setbox0=\hbox{{{size[0]} {weights[bold]}{t}}}\typeout{{WIDTH \the\wd0}}" for t, size, bold in cases]
    log, _ = compiled(tmp_path / "t", CLASSES["article"], ["\n".join(lines), "text"])
    measured = [float(points) for points in re.findall(r"WIDTH ([\d.]+)pt", log)]
    assert len(measured) == len(cases)
    for (text, size, bold), points in zip(cases, measured, strict=True):
        assert points <= text_width(text, size, bold=bold) <= 1.25 * points, (text, size, bold, points)

"""No text of a model, a data set or a user can break a table or hide in it: any text can be read back from all four formats."""

from __future__ import annotations

import csv
import html
import io
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from table_runs import small, write_run
from table_texts import NASTY, table_with

from lensbench.reporting.open_runs import open_runs
from lensbench.reporting.tables import build_table, load_table_spec, render_table
from lensbench.reporting.tables.escape import csv_text, html_text, latex, markdown, one_line, paragraph

TEXT = st.text(alphabet=st.characters(codec=None), max_size=40)
FORMATS = ("md", "latex", "csv", "html")


def examples(test: Any) -> Any:
    for text in NASTY:
        test = example(text)(test)
    return test


def folded(text: str) -> str:
    """As tables show it: white space is one space, and none stands at the ends."""
    return " ".join(text.split(" ")).strip(" ")


@examples
@settings(max_examples=200, deadline=None)
@given(TEXT)
def test_markdown_shows_the_text_and_nothing_else(text: str) -> None:
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    rendered = parser.render(f"| {markdown(text)} | x |\n| --- | --- |\n| {markdown(text)} | y |\n")
    found = re.fullmatch(
        r"<table>\s*<thead>\s*<tr>\s*<th>(.*)</th>\s*<th>x</th>\s*</tr>\s*</thead>\s*<tbody>\s*<tr>\s*<td>(.*)</td>\s*<td>y</td>"
        r"\s*</tr>\s*</tbody>\s*</table>\s*",
        rendered,
    )
    assert found is not None, rendered
    for shown in found.groups():
        assert "<" not in shown
        assert html.unescape(shown).strip() == one_line(text).strip()


@examples
@settings(max_examples=200, deadline=None)
@given(TEXT.filter(lambda text: one_line(text).strip() != ""))
def test_a_paragraph_of_markdown_stays_one(text: str) -> None:
    rendered = MarkdownIt("commonmark").render(paragraph(text).strip()).strip()
    found = re.fullmatch(r"<p>(.*)</p>", rendered)
    assert found is not None, rendered
    assert "<" not in found[1] and html.unescape(found[1]).strip() == one_line(text).strip()


@pytest.mark.parametrize("text", ["http://x.org/a", "www.x.org", "WWW.x.org", "mailto:a@b.c", "a@b.c", "xmpp:a@b.c"])
def test_no_address_becomes_a_link(text: str) -> None:
    """What GitHub makes into links without any mark needs one of these three spellings as they are."""
    assert not re.search(r"(?i)://|www\.|@|mailto:", markdown(text))


def unlatex(text: str) -> str:
    """The text that pdflatex would set: an independent reading of the few commands in use."""
    named = {
        "textbackslash": "\\",
        "textasciicircum": "^",
        "textasciitilde": "~",
        "textless": "<",
        "textgreater": ">",
        "textbar": "|",
        "textquotedbl": '"',
        "textquotesingle": "'",
        "textasciigrave": "`",
        "textendash": "–",
        "textemdash": "—",
        "textperiodcentered": "·",
        "ldots": "…",
    }
    maths = {
        "-": "−",
        r"\times": "×",
        r"\pm": "±",
        r"\approx": "≈",
        r"\neq": "≠",
        r"\Delta": "Δ",
        r"\lambda": "λ",
        r"\alpha": "α",
        r"\rho": "ρ",
        r"\uparrow": "▲",
        r"\downarrow": "▼",
    }
    out, place = "", 0
    patterns = [
        (r"\\texttt\{U\+([0-9A-F]{4,6})\}", lambda m: chr(int(m[1], 16))),
        (r"\\ensuremath\{([^{}]+)\}", lambda m: maths[m[1]]),
        (r"\\raisebox\{-0\.4ex\}\{\\scriptsize (\d)\}", lambda m: "₀₁₂₃"[int(m[1])]),
        (r"\\([a-z]{3,})\{\}", lambda m: named[m[1]]),
        (r"\\([{}$&#%_])", lambda m: m[1]),
        (r"\{([\[\]*])\}", lambda m: m[1]),
        (r"([-,])\{\}(?=\1)", lambda m: m[1]),
        (r"~", lambda m: "\u00a0"),
        (r"[^\\{}$&#%_^~<>|\"'`]", lambda m: m[0]),
    ]
    while place < len(text):
        for pattern, read in patterns:
            match = re.compile(pattern).match(text, place)
            if match:
                out, place = out + read(match), match.end()
                break
        else:
            raise AssertionError(f"{text!r} holds bare {text[place]!r}")
    assert "--" not in text and ",," not in text
    return out


@examples
@settings(max_examples=300, deadline=None)
@given(TEXT)
def test_latex_shows_the_text_and_nothing_else(text: str) -> None:
    assert unlatex(latex(text)) == one_line(text)


@examples
@settings(max_examples=300, deadline=None)
@given(TEXT)
def test_csv_holds_no_formula_and_loses_nothing(text: str) -> None:
    stream = io.StringIO()
    csv.writer(stream).writerow([csv_text(text)])
    [[found]] = csv.reader(io.StringIO(stream.getvalue(), newline=""))
    shown = one_line(text)
    assert not found.lstrip().startswith(("=", "+", "-", "@", "＝", "＋", "－", "＠"))
    # An apostrophe was put in front exactly where the text would be taken for a formula, or begins with one itself.
    assert found == (f"'{shown}" if shown.lstrip()[:1] in set("=+-@＝＋－＠'") and shown.lstrip() else shown)


class Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.text, self.tags = "", set[str]()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


@examples
@settings(max_examples=200, deadline=None)
@given(TEXT)
def test_html_shows_the_text_and_nothing_else(text: str) -> None:
    reader = Reader()
    reader.feed(str(html_text(text)))
    reader.close()
    assert reader.tags <= {"span"} and reader.text == one_line(text)


@examples
@settings(max_examples=60, deadline=None)
@given(TEXT.filter(lambda text: text.strip() != ""))
def test_whole_tables_keep_their_shape(text: str) -> None:
    plain = {form: render_table(table_with("x"), form, intervals=True) for form in FORMATS}
    found = {form: render_table(table_with(text), form, intervals=True) for form in FORMATS}
    for form in FORMATS:
        found[form].encode("utf-8")
    assert found["md"].count("\n") == plain["md"].count("\n")
    # A comment, a command, a row, or nothing: no text begins a line of its own.
    lines = found["latex"].splitlines()
    assert all(line == "" or line.startswith(("%", "\\")) or line.endswith(r" \\") for line in lines)
    # Wide text may need a further floating table; each of them is whole.
    begun = [
        sum(line.startswith(start) for line in lines) for start in (r"\begin{table", r"\end{table", r"\caption{", r"\label{")
    ]
    assert len(set(begun)) == 1 and begun[0] >= 1
    count = re.compile(r"<(?:td|th|tr|table|section|p|li|h1|h2|script|img)\b")
    assert count.findall(found["html"]) == count.findall(plain["html"])
    rows = list(csv.reader(io.StringIO(found["csv"], newline="")))
    assert len({len(row) for row in rows}) == 1 and len(rows) == 5


def test_hostile_names_of_a_run_stay_text(tmp_path: Path) -> None:
    content = {**small(), "averages": []}
    for entry in content["cells"]:
        if entry["variant"] == "lens":
            entry["variant"] = '<img src=x onerror="alert(1)">|=\\input{x}'
    content["variants"]['<img src=x onerror="alert(1)">|=\\input{x}'] = content["variants"].pop("lens")
    run = write_run(tmp_path / "r", content)
    made = build_table(load_table_spec("bilingual"), open_runs([run]))
    assert "<img" not in render_table(made, "html") and "<img" not in render_table(made, "md")
    # TeX reads nothing of a comment.
    assert not any(r"\input" in line for line in render_table(made, "latex").splitlines() if not line.startswith("%"))
    lines = [line for line in render_table(made, "md").splitlines() if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) == 1

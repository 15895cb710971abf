"""Tables in four formats: the expected text is written by hand from the numbers in table_runs.py."""

from __future__ import annotations

import copy
import csv
import io
import itertools
import random
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from table_runs import SMALL, about, average, cell, cost, origin, results, small, write_run

from lensbench.errors import UsageError
from lensbench.reporting.open_runs import open_runs
from lensbench.reporting.tables import Choice, build_table, load_table_spec, render_table, table_specs

Shown = Callable[..., str]


@pytest.fixture
def shown(tmp_path: Path) -> Shown:
    """Render a table of results given as dictionaries, each written to a run folder first."""

    counted = itertools.count()

    def call(table: str, *contents: dict[str, Any], form: str = "md", languages: Any = ("zh",), **more: Any) -> str:
        spec = tmp_path / "small.yaml"
        spec.write_text(SMALL, encoding="utf-8")
        options = {key: more.pop(key) for key in ("choice", "published", "paper_backbone", "digits") if key in more}
        intervals = more.pop("intervals", False)
        place = tmp_path / str(next(counted))
        paths = [write_run(place / f"run{n}", content, languages=languages, **more) for n, content in enumerate(contents)]
        made = build_table(load_table_spec(str(spec) if table == "small" else table), open_runs(paths), **options)
        return render_table(made, form, intervals=intervals)

    return call


# XCOPA Zh: 417/500 = 83.40, 436/500 = 87.20, 438/500 = 87.60. XWinograd En: 63.50, 60.10; Zh: 274/504 = 54.37, 300/500 = 60.00,
# 336/504 = 66.67. Means over both: (83.400 + 54.365) / 2 = 68.88, (87.20 + 60.00) / 2 = 73.60, (87.600 + 66.667) / 2 = 77.13.
# Differences: 19/500 = 3.80, 21/500 = 4.20, -34/1000 = -3.40, 28/500 = 5.60, 62/504 = 12.30; means (3.80 + 5.60) / 2 = 4.70 and
# (4.200 + 12.302) / 2 = 8.25. The only verdict is that of the average of LENS. XCOPA has no leader, so nothing is bold there.
MARKDOWN = r"""# A small table

Two tasks. Shares are in percent. In each column, the base included, the best is bold and the second best is underlined where a paired test tells the two apart (p below 0.05, not adjusted). ▲ better, ▼ worse than the base: the run's verdicts, with the paired difference. A difference without such a sign has no such verdict, whatever its size. Only the run's endpoints and their languages have a verdict; every other number is exploratory. Average Zh: the mean of XCOPA, XWinograd, each task counting alike.

## LLaMA-3-8B-Instruct: English and Chinese

|  | XCOPA Zh | XWinograd En | XWinograd Zh | Average En | Average Zh |
| :--- | ---: | ---: | ---: | ---: | ---: |
| base | 83.40 | **63.50** | 54.37 | –<sup>a</sup> | 68.88 |
| xSFT | 87.20 +3.80 | <u>60.10</u> −3.40 | <u>60.00</u> +5.60<sup>b</sup> | –<sup>a</sup> | <u>73.60</u> +4.70 |
| LENS | 87.60 +4.20 | –<sup>c</sup> | **66.67** +12.30 | –<sup>a</sup> | **77.13** ▲ +8.25 |

<sup>a</sup> nothing to average over: only XWinograd En is asked<br>
<sup>b</sup> 4 of 504 without a score: 4 not finite<br>
<sup>c</sup> not scored yet<br>

- Profile lens-paper: XCOPA, XWinograd.
- ! no score and in no mean, not finite: the model's logits are not finite (NaN or infinity): broken weights, or a dtype too small for them: 4 of 504 in xwinograd/zh xsft
"""  # noqa: E501

# Digits of a column are aligned at the point: before it, after it, and the difference are columns of their own. "Average En"
# has no number, so its dashes need one column.
LATEX = r"""\begin{tabular}{@{}lr@{}l@{\,}rr@{}l@{\,}rr@{}l@{\,}rrr@{}l@{\,}r@{}}
\toprule
 & \multicolumn{3}{c}{XCOPA} & \multicolumn{6}{c}{XWinograd} & \multicolumn{4}{c}{Average} \\
\cmidrule(lr){2-4} \cmidrule(lr){5-10} \cmidrule(lr){11-14}
 & \multicolumn{3}{c}{Zh} & \multicolumn{3}{c}{En} & \multicolumn{3}{c}{Zh} & \multicolumn{1}{r}{En} & \multicolumn{3}{c}{Zh} \\
\midrule
base & 83. & 40 &  & \textbf{63.} & \textbf{50} &  & 54. & 37 &  & \textendash{} & 68. & 88 &  \\
xSFT & 87. & 20 & {\scriptsize +3.80} & \underline{60.} & \underline{10} & {\scriptsize \ensuremath{-}3.40} & \underline{60.} & \underline{00} & {\scriptsize +5.60} & \textendash{} & \underline{73.} & \underline{60} & {\scriptsize +4.70} \\
LENS & 87. & 60 & {\scriptsize +4.20} & \multicolumn{3}{c}{\textendash{}} & \textbf{66.} & \textbf{67} & {\scriptsize +12.30} & \textendash{} & \textbf{77.} & \textbf{13} & {\scriptsize \ensuremath{\uparrow}+8.25} \\
\bottomrule
\end{tabular}
\end{table*}

% Profile lens-paper: XCOPA, XWinograd.
% ! no score and in no mean, not finite: the model's logits are not finite (NaN or infinity): broken weights, or a dtype too small for them: 4 of 504 in xwinograd/zh xsft
"""  # noqa: E501

# 274/504 = 54.36507937 %, 336/504 = 66.66666667 %, 62/504 = 12.3015873 points.
CSV = """\
section,row,variant,column,language,average,shown,value,unit,low,high,delta,delta_low,delta_high,p_holm,verdict,n,failures,style,note,run,profile,protocol,signature
S,base,base,XCOPA,zh,,83.40,83.4,percent,80,86,,,,,,500,0,none,,run0,lens-paper,lens-paper-xcopa,s
S,base,base,XWinograd,en,,63.50,63.5,percent,60,66,,,,,,1000,0,bold,,run0,lens-paper,lens-paper-xwinograd,s
S,base,base,XWinograd,zh,,54.37,54.36507937,percent,50,59,,,,,,504,0,none,,run0,lens-paper,lens-paper-xwinograd,s
S,base,base,Average,en,avg,–,,,,,,,,,,,,none,nothing to average over: only XWinograd En is asked,run0,,,
S,base,base,Average,zh,avg,68.88,68.88253968,percent,66,72,,,,,,1004,,none,,run0,lens-paper,lens-paper-xcopa; lens-paper-xwinograd,m
S,xSFT,xsft,XCOPA,zh,,87.20,87.2,percent,84,90,3.8,0,7,,exploratory,500,0,none,,run0,lens-paper,lens-paper-xcopa,s
S,xSFT,xsft,XWinograd,en,,60.10,60.1,percent,57,63,-3.4,-6,-1,,exploratory,1000,0,underline,,run0,lens-paper,lens-paper-xwinograd,s
S,xSFT,xsft,XWinograd,zh,,60.00,60,percent,56,64,5.6,2,9,,exploratory,504,4,underline,4 of 504 without a score: 4 not finite,run0,lens-paper,lens-paper-xwinograd,s
S,xSFT,xsft,Average,en,avg,–,,,,,,,,,,,,none,nothing to average over: only XWinograd En is asked,run0,,,
S,xSFT,xsft,Average,zh,avg,73.60,73.6,percent,71,76,4.7,-1,10,0.09,not distinguishable,1004,,underline,,run0,lens-paper,lens-paper-xcopa; lens-paper-xwinograd,m
S,LENS,lens,XCOPA,zh,,87.60,87.6,percent,84,90,4.2,2,6,,exploratory,500,0,none,,run0,lens-paper,lens-paper-xcopa,s
S,LENS,lens,XWinograd,en,,–,,,,,,,,,,,,none,not scored yet,run0,,,
S,LENS,lens,XWinograd,zh,,66.67,66.66666667,percent,62,71,12.3015873,9,15,,exploratory,504,0,bold,,run0,lens-paper,lens-paper-xwinograd,s
S,LENS,lens,Average,en,avg,–,,,,,,,,,,,,none,nothing to average over: only XWinograd En is asked,run0,,,
S,LENS,lens,Average,zh,avg,77.13,77.13333333,percent,75,79,8.250793651,5,11,0.002,better,1004,,bold,,run0,lens-paper,lens-paper-xcopa; lens-paper-xwinograd,m
""".replace("\nS,", "\nLLaMA-3-8B-Instruct: English and Chinese,")  # noqa: E501


def up(value: str) -> str:
    return f' <small><span aria-hidden="true">▲</span><span class="seen">better by</span> +{value}</small>'


def plain(value: str) -> str:
    return f" <small>+{value}</small>"


def field(html: str, *notes: tuple[int, str]) -> str:
    links = ",".join(f'<a href="#note-{number}">{letter}</a>' for number, letter in notes)
    return f'<td><span class="number">{html}{f"<sup>{links}</sup>" if links else ""}</span></td>'


HTML = "\n".join(
    [
        "<tbody>",
        '<tr><th scope="row">base</th>'
        + field("83.40")
        + field("<strong>63.50</strong>")
        + field("54.37")
        + field("–", (1, "a"))
        + field("68.88")
        + "</tr>",
        '<tr><th scope="row">xSFT</th>'
        + field(f"87.20{plain('3.80')}")
        + field("<u>60.10</u> <small>−3.40</small>")
        + field(f"<u>60.00</u>{plain('5.60')}", (2, "b"))
        + field("–", (1, "a"))
        + field(f"<u>73.60</u>{plain('4.70')}")
        + "</tr>",
        '<tr><th scope="row">LENS</th>'
        + field(f"87.60{plain('4.20')}")
        + field("–", (3, "c"))
        + field(f"<strong>66.67</strong>{plain('12.30')}")
        + field("–", (1, "a"))
        + field(f"<strong>77.13</strong>{up('8.25')}")
        + "</tr>",
        "</tbody>",
    ]
)


def test_markdown_is_as_by_hand(shown: Shown) -> None:
    assert shown("small", small()) == MARKDOWN


def test_latex_is_as_by_hand(shown: Shown) -> None:
    text = shown("small", small(), form="latex")
    assert text[text.index(r"\begin{tabular}") :].rstrip("\n") == LATEX.rstrip("\n")
    assert text.startswith(r"% Needs \usepackage[T1]{fontenc}")
    # Notes are comments, and the caption in print is short.
    assert "\n% Average En: nothing to average over: only XWinograd En is asked\n" in text
    assert "\n% xSFT XWinograd Zh: 4 of 504 without a score: 4 not finite\n" in text
    assert (
        r"Bold: best, underlined: second best of a column (paired test of the two, p below 0.05); "
        r"\ensuremath{\uparrow} better than base;" in text
    )


def test_csv_is_as_by_hand(shown: Shown) -> None:
    assert shown("small", small(), form="csv") == CSV


def test_html_is_as_by_hand(shown: Shown) -> None:
    text = shown("small", small(), form="html")
    assert text[text.index("<tbody>") : text.index("</tbody>") + len("</tbody>")] == HTML
    assert "<script" not in text and "default-src 'none'" in text
    # Nothing is said by colour: all there are belong to the page, its text, links, rules and small print.
    assert set(re.findall(r"--\w+(?=:)", text)) == {"--page", "--text", "--link", "--line", "--soft"}


def test_the_same_runs_give_the_same_bytes(shown: Shown) -> None:
    for form in ("md", "latex", "csv", "html"):
        assert shown("small", small(), form=form, intervals=True) == shown("small", small(), form=form, intervals=True)


def test_intervals_appear_on_demand(shown: Shown) -> None:
    text = shown("small", small(), intervals=True)
    assert r"| 87.60 +4.20<br>\[84.00, 90.00\], Δ \[+2.00, +6.00\], n 500 |" in text
    assert r"**77.13** ▲ +8.25<br>\[75.00, 79.00\], Δ \[+5.00, +11.00\], n 1004 |" in text
    assert r"<u>60.00</u> +5.60<sup>b</sup><br>\[56.00, 64.00\], Δ \[+2.00, +9.00\], n 504, 4 without a score |" in text


def test_a_recorded_average_brings_its_interval(shown: Shown) -> None:
    content = small()
    two = ["xcopa/zh", "xwinograd/zh"]
    content["averages"] = [
        average(two, "base", 0.68882539, n=1004, low=0.66, high=0.72),
        # Of other cells, so not this table's, nor what it says of leading and of the base.
        average([*two, "m_mmlu/zh"], "lens", 0.1, delta=0.1, verdict="better", leads=["all"]),
    ]
    text = shown("small", content, intervals=True)
    assert r"| 68.88<br>\[66.00, 72.00\], n 1004 |" in text
    # A plain mean has no test that would make it bold, nor a verdict.
    assert "| 77.13 +8.25<sup>c</sup>" in text and "<sup>c</sup> a plain mean" in text


def leading(task: str, leads: dict[str, list[str]], *values: tuple[str, float]) -> list[dict[str, Any]]:
    return [cell(task, "zh", variant, value, leads=leads.get(variant, [])) for variant, value in values]


def test_bests_that_print_alike_are_not_marked_and_second_bests_are_marked_alike(shown: Shown) -> None:
    cells = leading("xcopa", {"lens": ["all"]}, ("base", 0.5), ("xsft", 0.70001), ("lens", 0.70002))
    cells += leading("xwinograd", {"lens": ["all"]}, ("base", 0.40001), ("xsft", 0.40002), ("lens", 0.6))
    text = shown("small", results(cells))
    rows = {line.split(" | ")[0]: line.split(" | ")[1:4] for line in text.splitlines() if line.startswith("| ")}
    assert [rows[f"| {name}"][0] for name in ("base", "xSFT", "LENS")] == ["50.00", "70.00", "70.00"]
    assert [rows[f"| {name}"][2] for name in ("base", "xSFT", "LENS")] == ["<u>40.00</u>", "<u>40.00</u>", "**60.00**"]


def test_nothing_is_bold_where_no_test_tells_the_best_from_the_second(shown: Shown) -> None:
    """Also where the best leads among the enhanced variants only, and the table ranks the base with them."""
    values = (("base", 0.69), ("xsft", 0.5), ("lens", 0.7))
    for leads in ({}, {"lens": ["enhanced"]}):
        cells = leading("xcopa", leads, *values)
        text = shown("small", results(cells))
        assert "**" not in text and "<u>" not in text
        assert "Nothing is bold or underlined: in no column does a test of the run tell the best from the second best." in text
        latex = shown("small", results(cells), form="latex")
        assert r"\textbf" not in latex and "Bold" not in latex


def test_a_cell_has_no_sign_whatever_an_older_version_found_of_it(shown: Shown) -> None:
    content = small()
    content["averages"] = []
    for entry in content["cells"]:
        entry.pop("verdict")
        entry.update(verdict="better", p_holm=0.001) if entry["delta"] else None
    text = shown("small", content)
    assert not set("▲▼≠") & set(text) and "the run has no verdict better or worse on any" in text
    assert {row["verdict"] for row in csv.DictReader(io.StringIO(shown("small", content, form="csv")))} == {"", "exploratory"}


def test_signs_are_the_verdicts_of_the_runs_averages(shown: Shown) -> None:
    """Whatever the differences and p-values are: the table repeats the verdict that stands in results.json."""
    draw = random.Random(3)
    two = ("xcopa", "xwinograd")
    signs = {"better": "▲", "worse": "▼", "not distinguishable": "", "exploratory": "", None: ""}
    cells, averages, wanted = [cell(task, "zh", "base", 0.5) for task in two], [], {}
    for number in range(40):
        deltas = [draw.uniform(-0.2, 0.2) for _ in two]
        cells += [cell(t, "zh", f"v{number}", 0.5 + d, delta=d, p_value=0.0001) for t, d in zip(two, deltas, strict=True)]
        verdict = draw.choice(list(signs))
        more = {"delta": sum(deltas) / 2, "p_holm": draw.random(), "verdict": verdict}
        averages.append(average([f"{task}/zh" for task in two], f"v{number}", 0.5 + more["delta"], **more))
        wanted[f"v{number}"] = signs[verdict]
    content = results(cells, averages=averages)
    rows = [line.split(" | ") for line in shown("small", content).splitlines() if line.startswith("| v")]
    assert len(rows) == 40 and all(not set("▲▼≠") & set("".join(row[1:5])) for row in rows)
    assert {row[0].removeprefix("| "): "".join(sign for sign in "▲▼≠" if sign in row[5]) for row in rows} == wanted
    assert {"▲", "▼", ""} == set(wanted.values())
    html = shown("small", content, form="html")
    assert html.count('class="seen">worse by<') == list(wanted.values()).count("▼")
    assert html.count('class="seen">better by<') == list(wanted.values()).count("▲")
    latex = shown("small", content, form="latex")
    assert r"\ensuremath{\uparrow} better, \ensuremath{\downarrow} worse than base" in latex


@pytest.mark.parametrize("form", ["md", "latex", "csv", "html"])
def test_digits_are_those_that_were_asked_for(shown: Shown, form: str) -> None:
    """336 of 504 right: 66.667%; 62 of 504 more than the base: 12.302 points."""
    none = {
        "md": "**67** +12 ",
        "latex": r"\textbf{67} &  & {\scriptsize +12}",
        "csv": ",67,66.66666667,",
        "html": "<strong>67</strong>",
    }
    three = {
        "md": "**66.667** +12.302 ",
        "latex": r"\textbf{66.} & \textbf{667} & {\scriptsize +12.302}",
        "csv": ",66.667,66.66666667,",
        "html": "<strong>66.667</strong>",
    }
    for digits, said in ((0, none), (3, three)):
        text = shown("small", small(), form=form, digits=digits)
        assert said[form] in text and ">66.67<" not in text and "*66.67*" not in text


def test_markdown_is_another_name_of_md(shown: Shown) -> None:
    assert shown("small", small(), form="markdown") == MARKDOWN


def test_digits_out_of_range_or_of_settings_are_refused(cli: Any, tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", small())
    for arguments, said in (
        (("bilingual", run, "--digits", "7"), "--digits must be from 0 to 6, found 7"),
        (("settings", run, "--digits", "1"), "shows settings as they were given"),
    ):
        done = cli("table", *arguments)
        assert done.returncode == 2 and said in done.stderr, done.stderr


def test_a_number_that_was_not_tested_says_what_was(shown: Shown) -> None:
    more = {"profile": "mt-bench", "source": "glotlid:1", "n": 80}
    cells = [
        cell("mt_bench", "zh", variant, value, metric=metric, delta=None if variant == "base" else 0.3, p_value=p, **more)
        for variant, metric, value, p in (
            ("base", "lf_response", 0.55, None),
            ("lens", "lf_response", 0.85, 0.001),
            ("base", "lf_question_concat", 0.5, None),
            ("lens", "lf_question_concat", 0.8, None),
        )
    ]
    text = shown("bilingual", results(cells))
    [letter] = re.findall(r"\| 80\.00 \+30\.00<sup>(.)</sup> \|", text)
    assert f"<sup>{letter}</sup> not tested; the test is of lf\\_response (answers in the asked language, both turns)" in text
    # The base has no difference to be tested.
    assert "| 50.00 |" in text
    # Where nothing but this was scored there is no other test to name.
    assert "not tested" not in shown("bilingual", results(cells[2:]))


def test_why_a_number_is_missing(shown: Shown) -> None:
    content = results(
        [
            cell("xcopa", "zh", "base", None, n=3, failures=3, states={"letters_collide": 3}),
            cell("xwinograd", "en", "base", 0.5, planned=900),
            cell("mt_bench", "zh", "base", 0.5, profile="mt-bench", metric="lf_turn1", source="glotlid:1"),
        ],
        failed={"lens": "loss was not finite"},
        gaps=["xwinograd in 'zh': no rows"],
    )
    text = shown("bilingual", content)
    assert "XCOPA Zh: nothing has a score (3 letters collide)" in text
    assert "lens could not be fitted: loss was not finite" in text
    assert "XWinograd Zh: xwinograd in 'zh': no rows" in text
    assert "unfinished: 500 of 900" in text
    assert "not judged (lensbench judge)" in text and "not identified in this unit (lensbench fidelity)" in text
    assert " 0.00 " not in text and "|  |" not in text.replace("|  | XCOPA Zh", "")


def test_ratings_are_points_and_shares_percent(shown: Shown) -> None:
    more = {"profile": "mt-bench", "metric": "rating", "unit": "rating", "source": "gpt-4o:gpt-4o-2024-08-06:1", "n": 160}
    cells = [
        cell("mt_bench", "zh", "base", 2.71875, low=2.4, high=3.0, **more),
        cell(
            "mt_bench", "zh", "lens", 5.76875, low=5.4, high=6.1, delta=3.05, delta_low=2.6, delta_high=3.5, leads=["all"], **more
        ),
    ]
    text = shown("bilingual", results(cells), intervals=True)
    assert r"**5.77** +3.05<br>\[5.40, 6.10\], Δ \[+2.60, +3.50\], n 160" in text
    assert "ratings in points of the judge's scale" in text
    assert "Rated by gpt-4o:gpt-4o-2024-08-06:1: MT-Bench Zh." in text


def test_several_targets_have_a_section_for_each_measure(shown: Shown) -> None:
    cells = [
        cell("xcopa", code, variant, value, **({"delta": value - 0.5, "leads": leads} if variant == "lens" else {}))
        for code, base, lens, leads in (("en", 0.5, 0.5, []), ("zh", 0.5, 0.6, ["all"]), ("sw", 0.5, 0.51, []))
        for variant, value in (("base", base), ("lens", lens))
    ]
    text = shown("multilingual", results(cells), languages=("zh", "sw"))
    assert "## XCOPA, LLaMA-3-8B-Instruct" in text
    assert "|  | En | Zh | Sw | Targets |" in text
    # (60 + 51) / 2 = 55.5 and (10 + 1) / 2 = 5.5: English is not in it.
    assert "| LENS | 50.00 ±0.00 | **60.00** +10.00 | 51.00 +1.00 | 55.50 +5.50<sup>" in text
    assert "the mean over the target languages, each counting alike, English left out" in text


def test_runs_of_one_backbone_share_a_section_and_their_base(shown: Shown) -> None:
    one, other = small(), small()
    for content, without in ((one, "lens"), (other, "xsft")):
        content["variants"].pop(without)
        for kind in ("cells", "averages"):
            content[kind] = [entry for entry in content[kind] if entry["variant"] != without]
    text = shown("small", one, other)
    assert text.count("| base |") == 1 and text.count("##") == 1
    rows = {line.split(" | ")[0]: line.split(" | ")[1:] for line in text.splitlines() if line.startswith("| ")}
    # XWinograd Zh: LENS leads in its own run, but no test sets it against xSFT of the other one.
    assert [rows[f"| {name}"][2] for name in ("base", "xSFT", "LENS")] == ["54.37", "60.00 +5.60<sup>b</sup>", "66.67 +12.30"]
    # XWinograd En: both numbers are of one run. The average: each run's own verdict stays, and nothing is bold.
    assert rows["| base"][1] == "**63.50**" and rows["| LENS"][4] == "77.13 ▲ +8.25 |"
    assert "No test compares numbers of several runs: a column that ranks such numbers together has no such marks." in text
    # A run that comes twice adds no number, so its tests hold for all that stand there.
    assert "| **66.67** +12.30 |" in shown("small", small(), small())


def test_a_method_fitted_twice_is_two_rows(shown: Shown) -> None:
    other = small()
    other["variants"]["lens"]["digest"] = "another fit"
    text = shown("small", small(), other)
    assert "| LENS |" in text and "| B run1 · LENS |" in text and "B run1 · xSFT" not in text


def sampled(base: float, lens: float) -> dict[str, Any]:
    return results(
        [cell("xcopa", "zh", "base", base), cell("xcopa", "zh", "lens", lens, delta=lens - base, leads=["all", "enhanced"])]
    )


def test_a_base_that_scored_otherwise_is_a_row_of_its_own_with_its_variants_beside_it(shown: Shown) -> None:
    text = shown("small", sampled(0.5, 0.6), sampled(0.7, 0.8), sampled(0.5, 0.6))
    rows = [line.split(" | ")[:2] for line in text.splitlines() if "·" in line and line.startswith("|")]
    # The third run has the first one's numbers and joins them; in each group the better of its two rows is bold.
    assert rows == [
        ["| A run0 · base", "<u>50.00</u>"],
        ["| A run0 · LENS", "**60.00** +10.00"],
        ["| B run1 · base", "<u>70.00</u>"],
        ["| B run1 · LENS", "**80.00** +10.00"],
    ]
    assert "The base of B run1 has other numbers than that of A run0 for xcopa in zh" in text
    lines = list(csv.DictReader(io.StringIO(shown("small", sampled(0.5, 0.6), sampled(0.7, 0.8), form="csv"))))
    found = [(x["run"], x["variant"], x["value"], x["delta"]) for x in lines if x["column"] == "XCOPA"]
    assert found == [
        ("A run0", "base", "50", ""),
        ("A run0", "lens", "60", "10"),
        ("B run1", "base", "70", ""),
        ("B run1", "lens", "80", "10"),
    ]


def test_a_variant_that_scored_otherwise_beside_an_equal_base_is_a_row_of_its_own(shown: Shown) -> None:
    text = shown("small", sampled(0.5, 0.6), sampled(0.5, 0.8))
    assert text.count("| base |") == 1
    assert "| LENS | 60.00 +10.00" in text and "| B run1 · LENS | 80.00 +30.00" in text


def test_a_fit_that_failed_in_one_run_does_not_hide_the_numbers_of_another(shown: Shown) -> None:
    one = results([cell("xcopa", "zh", "base", 0.5)], failed={"lens": "loss was not finite"})
    other = sampled(0.5, 0.6)
    # The shared base is shown with the number of the first run; the leader of one run is bold only where no other has a number.
    for first, second, row in ((one, other, "B run1 · LENS | 60.00"), (other, one, "LENS | **60.00**")):
        text = shown("small", first, second)
        assert f"| {row} +10.00" in text and "lens could not be fitted: loss was not finite" in text


def two_protocols() -> list[dict[str, Any]]:
    contents = [sampled(0.5, 0.6), sampled(0.7, 0.8)]
    for content, protocol in zip(contents, ("p1", "p2"), strict=True):
        content["tasks"]["xcopa/zh"]["protocol"] = protocol
    return contents


def test_sections_that_stand_apart_are_told_apart(shown: Shown) -> None:
    text = shown("small", *two_protocols())
    assert [line for line in text.splitlines() if line.startswith("##")] == [
        "## LLaMA-3-8B-Instruct: English and Chinese (A run0; protocol p1 for xcopa in zh)",
        "## LLaMA-3-8B-Instruct: English and Chinese (B run1; protocol p2 for xcopa in zh)",
    ]
    lines = list(csv.DictReader(io.StringIO(shown("small", *two_protocols(), form="csv"))))
    found = {(x["section"], x["run"], x["profile"], x["protocol"], x["signature"]) for x in lines if x["column"] == "XCOPA"}
    section = "LLaMA-3-8B-Instruct: English and Chinese"
    assert found == {
        (f"{section} ({run}; protocol {protocol} for xcopa in zh)", run, "lens-paper", protocol, "s")
        for run, protocol in (("A run0", "p1"), ("B run1", "p2"))
    }


def test_csv_on_stdout_says_beside_it_what_it_has_no_line_for(cli: Any, tmp_path: Path) -> None:
    paths = [write_run(tmp_path / f"run{n}", content) for n, content in enumerate(two_protocols())]
    paths.append(write_run(tmp_path / "several", small(), languages=("zh", "sw")))
    done = cli("table", "bilingual", "--format", "csv", *paths)
    assert done.returncode == 0 and {row["variant"] for row in csv.DictReader(io.StringIO(done.stdout))} == {"base", "lens"}
    said = done.stderr.splitlines()
    assert any(line.startswith("! ") and "several is left out" in line for line in said)
    assert any("stands apart from" in line and "another protocol for xcopa in zh" in line for line in said)
    assert "Profile lens-paper: XCOPA." in said


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda c: c["tasks"]["xcopa/zh"].update(rows="local:xcopa:other"), "other rows for xcopa in zh"),
        (lambda c: c["tasks"]["xcopa/zh"].update(protocol="p2"), "another protocol for xcopa in zh"),
        (lambda c: [x.update(planned=9) for x in c["cells"] if x["task"] == "xcopa"], "another number of items for xcopa in zh"),
    ],
)
def test_what_was_asked_otherwise_stands_apart(shown: Shown, change: Callable[[Any], Any], said: str) -> None:
    other = small()
    change(other)
    text = shown("small", small(), other)
    assert text.count("## LLaMA-3-8B-Instruct") == 2 and said in text


def other_profile() -> dict[str, Any]:
    content = small()
    for entry in content["cells"]:
        entry["profile"] = "lm-eval"
    for known in content["tasks"].values():
        known["profile"] = "lm-eval"
    return content


def test_unlike_profiles_never_share_a_table(shown: Shown) -> None:
    with pytest.raises(UsageError, match=r"unlike profiles never share a table") as caught:
        shown("small", small(), other_profile())
    assert "profile=lens-paper or profile=lm-eval" in str(caught.value)
    text = shown("small", small(), other_profile(), choice=Choice(profile="lm-eval"))
    assert "Profile lm-eval: XCOPA, XWinograd." in text and "run0 has no number of this table" in text
    with pytest.raises(UsageError, match=r"unknown profile.*'lm_evl'") as caught:
        shown("small", small(), choice=Choice(profile="lm_evl"))
    assert "Did you mean 'lm-eval'?" in str(caught.value)


def test_several_judges_must_be_chosen_from(shown: Shown) -> None:
    more = {"profile": "mt-bench", "metric": "rating", "unit": "rating"}
    cells = [cell("mt_bench", "zh", "base", v, low=1, high=9, source=s, **more) for v, s in ((3, "one:m:1"), (7, "two:m:2"))]
    with pytest.raises(UsageError, match=r"by several judges: one:m:1, two:m:2"):
        shown("bilingual", results(cells))
    assert "| base | –" in shown("bilingual", results(cells), choice=Choice(judge="two"))
    assert "7.00" in shown("bilingual", results(cells), choice=Choice(judge="two"))
    with pytest.raises(UsageError, match=r"unknown judge in .*'twoo'"):
        shown("bilingual", results(cells), choice=Choice(judge="twoo"))


def test_runs_that_share_no_number_are_refused(shown: Shown) -> None:
    one, other = small(), small()
    one["cells"] = [c for c in one["cells"] if c["task"] == "xcopa"]
    other["cells"] = [c for c in other["cells"] if c["task"] == "xwinograd"]
    with pytest.raises(UsageError, match=r"run1 shares no number of the table 'small' with .*run0"):
        shown("small", one, other)


def test_a_run_without_any_number_of_the_table(shown: Shown) -> None:
    with pytest.raises(UsageError, match=r"no number of the table 'small'"):
        shown("small", results([cell("mgsm", "zh", "base", 0.5)]))


def test_the_setting_decides_the_table(shown: Shown) -> None:
    with pytest.raises(UsageError, match=r"for runs with one target language; .* has zh, sw") as caught:
        shown("bilingual", small(), languages=("zh", "sw"))
    assert "lensbench table multilingual" in str(caught.value)


def test_costs_are_as_recorded(shown: Shown) -> None:
    content = small()
    # 128 s = 2m08s; 436,224,000 of 8,030,261,248 parameters = 5.43%; 3 GiB = 3,072 MiB.
    content["costs"] = {"lens": cost(128, 436224000, cached_seconds=10.0), "xsft": cost(333.4, 8030261248)}
    content["costs"]["xsft"].pop("translated_texts")
    text = shown("cost", content)
    assert "## LLaMA-3-8B-Instruct on one NVIDIA A800-SXM4-80GB" in text
    assert "| LENS | 2m08s<sup>b</sup> | 5.43% | 800 | 120,000 | 100 | 3,072 MiB | 0 | 0 |" in text
    assert "| xSFT | 5m33s | 100.00% | 800 | 120,000 | 100 | 3,072 MiB | 0 | –<sup>a</sup> |" in text
    assert "<sup>a</sup> translated texts: not recorded<br>" in text
    assert "<sup>b</sup> LENS: 10.0s of it by an earlier start" in text


def test_a_run_without_costs_is_refused(shown: Shown) -> None:
    with pytest.raises(UsageError, match=r"run0: no cost is recorded"):
        shown("cost", small())


def test_settings_are_as_recorded(shown: Shown) -> None:
    config = {"start_layer": "last:2", "push_strength": {"zh": 1.0}, "learning_rate": 1e-5, "rank": None, "epochs": 1}
    cards = {"lens": {"config": config, "first_changed_layer": 30}, "xsft": {"config": {"n_aya": 300}}}
    text = shown("settings", small(), cards=cards)
    assert "|  | First trained block | λ Zh | λ₁ |" in text
    # Blocks from 0 in the card, from 1 in the table.
    assert "| LLaMA-3-8B-Instruct, Zh | 31 | 1 | –<sup>a</sup> |" in text and "| none |" in text and "| 1e-05 |" in text
    assert "<sup>a</sup> λ₁: the run did not record it<br>" in text
    with pytest.raises(UsageError, match="no method was fitted"):
        shown("settings", results([cell("xcopa", "zh", "base", 0.5)]) | {"variants": {"base": {"method": None}}}, cards={})


def test_a_method_of_a_plugin_shows_its_configuration(tmp_path: Path) -> None:
    content = results([cell("xcopa", "zh", "base", 0.5), cell("xcopa", "zh", "mine", 0.6)])
    path = write_run(tmp_path / "r", content, cards={"mine": {"config": {"words": "a|b"}}})
    text = render_table(build_table(load_table_spec("settings"), open_runs([path])), "md")
    assert '| LLaMA-3-8B-Instruct, Zh | \\{"words": "a\\|b"\\} |' in text


def test_all_shipped_specs_are_valid_and_named_after_their_files() -> None:
    assert set(table_specs()) == {"bilingual", "multilingual", "averages", "cost", "settings"}
    for name in table_specs():
        assert load_table_spec(name).table == name


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("title: A", "titel: A", "line 3: unknown key 'titel'; did you mean 'title'?"),
        ("metric: acc, p", "metrc: acc, p", "unknown key 'metrc'; did you mean 'metric'?"),
        ("kind: scores", "kind: score", "line 2: kind must be one of scores, averages, cost, settings, found 'score'"),
        ("over: [xcopa", "over: [xcoba", "names the measure 'xcoba', which does not exist"),
        ("{id: xwinograd", "{id: xcopa", "two measures have one id"),
        ("columns: measures", "columns: languages", "'over' belongs to tables whose columns are measures"),
    ],
)
def test_a_mistake_in_a_spec_is_named(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = tmp_path / "mine.yaml"
    assert old in SMALL
    path.write_text(SMALL.replace(old, new), encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        load_table_spec(str(path))
    assert said in str(caught.value)


def test_the_command_line(cli: Any, tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", small())
    spec = tmp_path / "small.yaml"
    spec.write_text(SMALL, encoding="utf-8")
    done = cli("table", spec, run)
    assert (done.returncode, done.stdout, done.stderr) == (0, MARKDOWN, "")
    out = tmp_path / "t.tex"
    assert cli("table", spec, run, "--format", "latex", "--out", out).returncode == 0
    assert LATEX.strip() in out.read_text(encoding="utf-8") and not out.with_name("t.tex.partial").exists()
    for arguments, said in (
        (["bilinguall", run], "Did you mean 'bilingual'?"),
        (["bilingual", run, "--format", "latx"], "Did you mean 'latex'?"),
        (["bilingual"], "no run given"),
        (["bilingual", tmp_path / "no"], "no run at"),
        (["bilingual", run, run], "is named twice"),
        (["cost", run], "no cost is recorded"),
        (["bilingual", run, "--published", "--paper-backbone", "llama3-8"], "Did you mean 'llama3-8b'?"),
        (["bilingual", run, "--paper-backbone", "llama3-8b"], "needs --published"),
        (["bilingual", run, "--out", tmp_path / "no" / "t.md"], "no folder"),
    ):
        done = cli("table", *arguments)
        assert done.returncode == 2 and said in done.stderr and "Traceback" not in done.stderr, done.stderr


def test_a_run_that_has_not_scored_yet(cli: Any, tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", small())
    (run / "results.json").unlink()
    done = cli("table", "bilingual", run)
    assert done.returncode == 2 and "has no numbers yet" in done.stderr


def test_results_that_cannot_be_read(cli: Any, tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", small())
    for text, said in (("{", "not readable as JSON"), ('{"cells": []}', "has no 'backbone'")):
        (run / "results.json").write_text(text, encoding="utf-8")
        done = cli("table", "bilingual", run)
        assert done.returncode == 1 and said in done.stderr and "Traceback" not in done.stderr


def test_the_wheel_ships_the_specs(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=root, check=True, capture_output=True, timeout=120)
    wheel = next(tmp_path.glob("*.whl"))
    names = set(zipfile.ZipFile(wheel).namelist())
    for file in (
        "tables/bilingual.yaml",
        "tables/cost.yaml",
        "published/lens.yaml",
        "published/incline.yaml",
        "html/table.html.jinja",
    ):
        assert f"lensbench/_content/reports/{file}" in names


def test_a_run_of_old_that_recorded_less(shown: Shown) -> None:
    content = copy.deepcopy(small())
    for key in ("averages", "overlap", "failed", "costs"):
        content.pop(key)
    for entry in content["cells"]:
        for key in ("p_value", "smallest_detectable", "clusters", "test", "leads", "verdict"):
            entry.pop(key)
    text = shown("small", content)
    assert (
        "| 66.67 +12.30 |" in text
        and "Nothing is bold or underlined" in text
        and "the run has no verdict better or worse on any" in text
    )


def test_csv_is_read_back_as_numbers(shown: Shown) -> None:
    rows = list(csv.DictReader(io.StringIO(shown("small", small(), form="csv"))))
    worse = next(row for row in rows if row["variant"] == "xsft" and row["language"] == "en" and row["column"] == "XWinograd")
    assert float(worse["delta"]) == pytest.approx(-3.4)


def test_warnings_of_the_run_stand_below(shown: Shown) -> None:
    content = small()
    content["tasks"]["xcopa/zh"] = about("xcopa", origin=origin(kind="embedded", name="mini", warning="a demonstration"))
    content["cells"][0]["picks"] = [1, 499]
    content["overlap"] = [
        {"task": "xcopa", "language": "zh", "method": "xsft", "items": 500, "sharing": 7},
        {"task": "mgsm", "language": "zh", "method": "xsft", "items": 500, "sharing": 9},
    ]
    text = shown("small", content)
    assert "! mini: a demonstration" in text and "base picks B (xcopa/zh)" in text
    assert "7 of 500 items share" in text and "9 of 500" not in text

"""Figures show the cells and nothing else, can be read in grey, in every script, and come out the same every time."""

from __future__ import annotations

import json
import re
from importlib.util import find_spec
from pathlib import Path

import pytest
from figure_help import IDENTIFIER, cell, content_of, rating, run

from lensbench.content import content_dir
from lensbench.errors import UsageError
from lensbench.reporting import figures
from lensbench.reporting.figures import Choice, fonts, style

pytestmark = pytest.mark.skipif(find_spec("matplotlib") is None, reason="needs matplotlib")

ENDINGS = ("svg", "pdf", "png")
BETTER = {"delta": 0.2, "delta_low": 0.1, "delta_high": 0.3, "p_value": 0.001}
WORSE = {"delta": -0.2, "delta_low": -0.3, "delta_high": -0.1, "p_value": 0.001}


@pytest.fixture
def bilingual(tmp_path: Path):
    cells = [
        cell("xcopa", "en", "base", 0.50, 0.40, 0.61),
        cell("xcopa", "zh", "base", 0.30, 0.21, 0.42),
        cell("xcopa", "en", "lens", 0.70, 0.60, 0.78, **BETTER),
        cell("xcopa", "zh", "lens", 0.10, 0.05, 0.18, **WORSE, failures=3, states={"ok": 97, "not_finite": 3}),
        rating("en", "base", 6.5, 6.0, 7.1),
        rating("en", "lens", 7.25, 6.9, 7.5, delta=0.7, delta_low=-0.1, delta_high=1.0, p_value=0.2, n=160, planned=160),
    ]
    return run(tmp_path / "run", cells)


def bars(axes) -> dict[str, list]:
    """Variant -> its bars, left to right."""
    return {container.get_label(): list(container.patches) for container in axes.containers if hasattr(container, "patches")}


def whiskers(axes) -> list[tuple[float, float]]:
    """(low, high) of every error bar, left to right."""
    found = []
    for container in axes.containers:
        if hasattr(container, "has_yerr"):
            for segment in container.lines[2][0].get_segments():
                found.append((segment[0][0], min(p[1] for p in segment), max(p[1] for p in segment)))
    return [(round(low, 9), round(high, 9)) for _, low, high in sorted(found)]


def test_bars_and_whiskers_are_the_cells(bilingual) -> None:
    drawn = figures.per_language([bilingual], "understanding")
    (axes,) = drawn.figure.axes
    found = bars(axes)
    assert {name: [round(b.get_height(), 9) for b in own] for name, own in found.items()} == {"base": [50, 30], "lens": [70, 10]}
    assert whiskers(axes) == [(40, 61), (60, 78), (21, 42), (5, 18)]
    assert axes.get_title(loc="left") == "XCOPA" and axes.get_ylabel() == "accuracy (%)"
    assert [t.get_text() for t in axes.get_xticklabels()] == ["en", "zh"]
    assert axes.get_ylim()[0] == 0
    for place, name in enumerate(("en", "zh")):
        # The variants of a language stand beside each other around its tick, base first, and do not overlap.
        base, lens = found["base"][place], found["lens"][place]
        assert base.get_x() + base.get_width() == pytest.approx(lens.get_x()), name
        assert (base.get_x() + lens.get_x() + lens.get_width()) / 2 == pytest.approx(place)


def test_a_dashed_line_is_the_level_of_chance(tmp_path: Path) -> None:
    """One line for each language, as wide as its bars; none where chance is not known."""
    chances = {"en": 0.5, "zh": 0.25, "sw": None}
    cells = [cell("xcopa", code, "base", 0.5, 0.4, 0.6, chance=chance) for code, chance in chances.items()]
    drawn = figures.per_language([run(tmp_path / "run", cells)], "understanding")
    (axes,) = drawn.figure.axes
    lines = [segment for found in axes.collections for segment in found.get_segments() if len(set(segment[:, 1])) == 1]
    shown = sorted((round(segment[:, 0].mean()), segment[0, 1]) for segment in lines)
    places = [t.get_text() for t in axes.get_xticklabels()]
    assert shown == [(places.index("en"), 50.0), (places.index("zh"), 25.0)]
    assert drawn.caption.endswith("Dashed lines: chance.")


def test_the_report_and_the_figures_share_colours_and_their_order() -> None:
    css = (content_dir("reports") / "html" / "report.css").read_text(encoding="utf-8")
    colours = dict(re.findall(r"^\.c(\d) \{ background: (?:light-dark\()?(#[0-9a-f]{6})", css, re.M))
    assert [colours[str(number)] for number in range(len(style.LOOKS))] == [look.fill for look in style.LOOKS]
    assert len(colours) == len(style.LOOKS)


def test_marks_stand_over_averages_that_were_found_better_or_worse(tmp_path: Path) -> None:
    tasks, codes = ("xcopa", "m_mmlu"), ("zh", "sw", "ja")
    cells = [cell(t, code, v, 0.5, 0.4, 0.6) for t in tasks for code in codes for v in ("base", "lens")]
    averages = [
        {
            **cell("", code, variant, value, value - 0.05, value + 0.08, role="language", over="tasks", verdict=verdict),
            **{"task": None, "cells": [f"{task}/{code}" for task in tasks]},
        }
        for code, found, lens in (("zh", "better", 0.7), ("sw", "worse", 0.1), ("ja", "not distinguishable", 0.6))
        for variant, value, verdict in (("base", 0.5, None), ("lens", lens, found))
    ]
    drawn = figures.per_language([run(tmp_path / "run", cells, averages=averages)], "understanding")
    last = drawn.figure.axes[2]
    marks = [(t.get_text(), t.xy) for t in last.texts]
    assert [tick.get_text() for tick in last.get_xticklabels()] == ["zh", "ja", "sw"]
    assert last.get_title(loc="left") == "Mean of 2 tasks" and [mark for mark, _ in marks] == ["▲", "▼"]
    for (_, (x, y)), bar, high in zip(marks, (bars(last)["lens"][place] for place in (0, 2)), (78, 18), strict=True):
        assert x == pytest.approx(bar.get_x() + bar.get_width() / 2) and y == pytest.approx(high)
    assert [list(axes.texts) for axes in drawn.figure.axes[:2]] == [[], []]
    assert "▲ and ▼: the run's verdict, better or worse than base." in drawn.caption


def test_single_values_are_exploratory_and_have_no_mark(bilingual) -> None:
    drawn = figures.per_language([bilingual], "understanding")
    assert list(drawn.figure.axes[0].texts) == [] and "▲" not in drawn.caption
    assert "every other value is exploratory" in drawn.caption


def test_ratings_are_shown_on_their_scale(bilingual) -> None:
    drawn = figures.per_language([bilingual], "generation")
    (axes,) = drawn.figure.axes
    assert [b.get_height() for own in bars(axes).values() for b in own] == [6.5, 7.25]
    assert whiskers(axes) == [(6.0, 7.1), (6.9, 7.5)]
    assert axes.get_ylabel() == "judge's rating" and axes.get_yticks()[-1] in (8, 10)
    assert "n = 100 to 160 per value" in drawn.caption and "bootstrap over questions" in drawn.caption


def test_the_caption_counts_what_has_no_score(bilingual, tmp_path: Path) -> None:
    caption = figures.per_language([bilingual], "understanding").caption
    assert "n = 100 per value." in caption and "95% intervals (Wilson" in caption
    assert "Without a score, and in no mean: 3 of 400 (3 not finite)." in caption
    whole = run(tmp_path / "whole", [cell("xcopa", "en", "base", 0.5, 0.4, 0.6)])
    assert "Every item has a score." in figures.per_language([whole], "understanding").caption


def test_no_score_is_a_cross_and_no_bar(tmp_path: Path) -> None:
    cells = [
        cell("xcopa", "en", "base", 0.5, 0.4, 0.6),
        cell("xcopa", "zh", "base", None, None, None, failures=100, states={"not_finite": 100}),
    ]
    drawn = figures.per_language([run(tmp_path / "run", cells)], "understanding")
    (axes,) = drawn.figure.axes
    assert len(bars(axes)["base"]) == 1 and [t.get_text() for t in axes.texts] == ["×"]
    assert "×: no item has a score." in drawn.caption and "100 of 200 (100 not finite)" in drawn.caption


def test_an_unfinished_run_says_so(tmp_path: Path) -> None:
    half = run(tmp_path / "run", [cell("xcopa", "en", "base", 0.5, 0.4, 0.6, n=40, planned=100)])
    assert "Unfinished: 1 of 1 values" in figures.per_language([half], "understanding").caption


def test_several_runs_share_one_base_and_keep_apart_what_differs(tmp_path: Path) -> None:
    base = cell("xcopa", "en", "base", 0.5, 0.4, 0.6)
    one = run(tmp_path / "a", [base, cell("xcopa", "en", "lens", 0.6, 0.5, 0.7)], label="A a")
    two = run(tmp_path / "b", [base, cell("xcopa", "en", "xsft", 0.4, 0.3, 0.5)], label="B b")
    other = run(tmp_path / "c", [cell("xcopa", "en", "base", 0.9, 0.8, 0.95)], label="C c", backbone="another")
    (axes,) = figures.per_language([one, two], "understanding").figure.axes
    assert list(bars(axes)) == ["base", "lens", "xsft"]
    (axes,) = figures.per_language([one, two, other], "understanding").figure.axes
    assert list(bars(axes)) == ["A a · base", "lens", "xsft", "C c · base"]
    asked = {"xcopa/en": {"title": "XCOPA", "protocol": "another", "rows": "local:r:1"}}
    unlike = run(tmp_path / "d", [cell("xcopa", "en", "base", 0.9, 0.8, 0.95)], label="D d", tasks=asked)
    drawn = figures.per_language([one, unlike], "understanding")
    assert len(drawn.figure.axes) == 2 and "not comparable" in drawn.caption


def test_averages_come_from_the_results(tmp_path: Path) -> None:
    cells = [
        cell(t, "en", "base", v, v - 0.1, v + 0.1, failures=1, states={"ok": 99, "not_finite": 1})
        for t, v in (("xcopa", 0.5), ("m_mmlu", 0.3))
    ]
    average = {
        **cells[0],
        "over": "tasks",
        "task": None,
        "cells": ["xcopa/en", "m_mmlu/en"],
        "value": 0.41,
        "low": 0.33,
        "high": 0.52,
    }
    drawn = figures.per_language([run(tmp_path / "run", cells, averages=[average])], "understanding")
    last = drawn.figure.axes[2]
    assert last.get_title(loc="left") == "Mean of 2 tasks" and bars(last)["base"][0].get_height() == pytest.approx(41)
    assert whiskers(last) == [(33, 52)]
    assert "2 of 200 (2 not finite)" in drawn.caption, "the items of a mean are counted once"
    assert "200 (Mean of 2 tasks)" in drawn.caption


def test_a_variant_that_lacks_a_task_has_no_mean(tmp_path: Path) -> None:
    cells = [cell(t, "en", v, 0.5, 0.4, 0.6) for t in ("xcopa", "m_mmlu") for v in ("base", "lens")][:3]
    about = {**cells[0], "over": "tasks", "task": None, "cells": ["xcopa/en", "m_mmlu/en"]}
    averages = [about, {**about, "variant": "lens", "value": None, "low": None, "high": None}]
    drawn = figures.per_language([run(tmp_path / "run", cells, averages=averages)], "understanding")
    last = drawn.figure.axes[2]
    assert last.get_title(loc="left") == "Mean of 2 tasks" and list(bars(last)) == ["base"]


def test_external_checkpoints_stand_beside_variants_task_by_task(tmp_path: Path) -> None:
    values = {"base": 0.4, "lens": 0.6, "cn": 0.5}
    cells = [cell(t, "zh", v, value, value - 0.1, value + 0.1) for t in ("xcopa", "m_mmlu") for v, value in values.items()]
    cells += [rating("zh", v, 10 * value, 9 * value, 10.5 * value) for v, value in values.items()]
    drawn = figures.external([run(tmp_path / "run", cells, external={"cn": "Chinese LLaMA"})])
    shares, ratings = drawn.figure.axes
    assert {name: [round(b.get_height()) for b in own] for name, own in bars(shares).items()} == {
        "base": [40, 40],
        "lens": [60, 60],
        "cn": [50, 50],
    }
    assert [t.get_text() for t in shares.get_xticklabels()] == ["XCOPA", "M-MMLU"]
    assert [b.get_height() for own in bars(ratings).values() for b in own] == [4, 6, 5]
    assert "cn is Chinese LLaMA" in drawn.caption
    with pytest.raises(UsageError, match="no run has a checkpoint of others"):
        figures.external([run(tmp_path / "none", cells)])


def test_a_choice_is_checked(bilingual) -> None:
    with pytest.raises(UsageError, match="Did you mean 'xcopa'"):
        figures.per_language([bilingual], "understanding", Choice(tasks=("xcopaa",)))
    with pytest.raises(UsageError, match="unknown variant 'lense'"):
        figures.per_language([bilingual], "understanding", Choice(variants=("lense",)))
    (axes,) = figures.per_language([bilingual], "understanding", Choice(languages=("zh",))).figure.axes
    assert [round(b.get_height()) for own in bars(axes).values() for b in own] == [30, 10]


def lightness(colour: str) -> float:
    """CIE L* from linear light, by its definition."""
    light = style.luminance(colour)
    return 116 * light ** (1 / 3) - 16 if light > 0.008856 else 903.3 * light


def test_luminance_is_that_of_wcag() -> None:
    # Published examples: white, black, and the grey that has 4.5:1 on white.
    assert style.luminance("#ffffff") == pytest.approx(1) and style.luminance("#000000") == 0
    assert (1.05) / (style.luminance("#767676") + 0.05) == pytest.approx(4.54, abs=0.01)


def test_neighbours_differ_in_grey_and_no_two_look_alike() -> None:
    for left, right in zip(style.LOOKS, style.LOOKS[1:], strict=False):
        assert abs(lightness(left.fill) - lightness(right.fill)) > 12, (left, right)
    assert len({s.fill for s in style.LOOKS}) == len({s.marker for s in style.LOOKS}) == len(style.LOOKS)
    for i, one in enumerate(style.LOOKS):
        for other in style.LOOKS[i + 1 :]:
            assert one.hatch != other.hatch or abs(lightness(one.fill) - lightness(other.fill)) > 15, (one, other)
    for look in style.LOOKS:
        light, dark = sorted((style.luminance(look.fill), style.luminance(look.hatch_colour)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) > 2.5, look


def test_drawn_bars_have_the_look_of_their_slot(tmp_path: Path) -> None:
    from matplotlib.colors import to_hex

    names = ["base", *(f"v{i}" for i in range(8))]
    cells = [cell("xcopa", "en", name, 0.5, 0.4, 0.6) for name in names]
    (axes,) = figures.per_language([run(tmp_path / "run", cells)], "understanding").figure.axes
    for (name, own), look in zip(bars(axes).items(), style.LOOKS, strict=True):
        assert (to_hex(own[0].get_facecolor()), own[0].get_hatch() or "") == (look.fill, look.hatch), name
    cells.append(cell("xcopa", "en", "one too many", 0.5, 0.4, 0.6))
    with pytest.raises(UsageError, match="9 series"):
        figures.per_language([run(tmp_path / "more", cells)], "understanding")


def test_the_formats() -> None:
    assert set(style.FORMATS) == set(ENDINGS)


@pytest.mark.parametrize("ending", ENDINGS)
def test_files_are_the_same_every_time(bilingual, tmp_path: Path, ending: str) -> None:
    written = []
    for name in "ab":
        drawn = figures.per_language([bilingual], "understanding")
        figures.save_figure(drawn.figure, tmp_path / f"{name}.{ending}", drawn.caption)
        written.append((tmp_path / f"{name}.{ending}").read_bytes())
    assert written[0] == written[1] and len(written[0]) > 2000
    assert not list(tmp_path.glob("*.partial"))


def test_the_svg_is_vector_self_contained_and_says_what_it_shows(bilingual) -> None:
    drawn = figures.per_language([bilingual], "understanding")
    svg = drawn.svg()
    assert "<image" not in svg and "<script" not in svg and "font-family" not in svg
    assert not re.search(r"(href|src)=\"(?!#)", svg), "nothing is fetched"
    assert "3 not finite" in svg and not re.search(r"\b20\d\d-\d\d-\d\d", svg)


def test_the_pdf_embeds_true_type_only(tmp_path: Path) -> None:
    """Fonts with cubic outlines would be embedded under a wrong type, and Type 3 is refused by publishers."""
    import zlib

    cells = [cell("xcopa", code, "base", 0.5, 0.4, 0.6) for code in ("en", "zh", "ar", "bn")]
    drawn = figures.per_language([run(tmp_path / "run", cells)], "understanding", native=True)
    figures.save_figure(drawn.figure, tmp_path / "a.pdf", drawn.caption)
    content = (tmp_path / "a.pdf").read_bytes()
    parts = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", content, re.S)
    text = content + b"".join(zlib.decompress(part) for part in parts if part[:1] == b"x")
    assert b"/FontFile2" in text and b"/FontFile3" not in text and b"/Type3" not in text
    assert set(re.findall(rb"/BaseFont /[A-Z]{6}\+(\S+)", text)) == {b"DejaVuSans"}


def test_a_users_own_settings_change_nothing(bilingual) -> None:
    import matplotlib

    plain = figures.per_language([bilingual], "understanding").svg()
    with matplotlib.rc_context({"font.size": 30, "svg.fonttype": "none", "axes.facecolor": "red", "text.parse_math": True}):
        assert figures.per_language([bilingual], "understanding").svg() == plain


def test_names_are_text_whatever_is_in_them(tmp_path: Path) -> None:
    cells = [cell("xcopa", "en", name, 0.5, 0.4, 0.6) for name in ("base", "$\\frac{1}{$", "a\u202eb\x07")]
    drawn = figures.per_language([run(tmp_path / "run", cells)], "understanding")
    shown = [t.get_text() for t in drawn.figure.legends[0].get_texts()]
    assert sorted(shown) == ["$\\frac{1}{$", "aU+202EbU+0007", "base"]
    assert drawn.svg().startswith("<?xml")


def test_unknown_endings_are_refused(bilingual, tmp_path: Path) -> None:
    drawn = figures.per_language([bilingual], "understanding")
    with pytest.raises(UsageError, match=r"Endings: \.svg, \.pdf, \.png"):
        figures.save_figure(drawn.figure, tmp_path / "a.jpg", drawn.caption)


def test_native_names_have_fonts_with_all_their_letters() -> None:
    from matplotlib import font_manager

    labels = fonts.labels_for(["en", "zh", "ja", "ko", "ar", "bn", "sw"], native=True)
    for code, label in labels.items():
        if label.missing:
            assert label.text == code
            continue
        face = font_manager.findfont(font_manager.FontProperties(family=[label.families[0]]), fallback_to_default=False)
        there = font_manager.get_font(face).get_charmap()
        assert all(ord(char) in there for char in label.text), code
    assert labels["en"].text == "English" and labels["sw"].text == "Kiswahili"


def test_a_missing_font_gives_way_to_the_code(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    faces = {name: face for name, face in fonts._faces().items() if name == "DejaVu Sans"}
    monkeypatch.setattr(fonts, "_faces", lambda: faces)
    monkeypatch.setattr(fonts, "look_again", lambda: False)
    cells = [cell("xcopa", code, "base", 0.5, 0.4, 0.6) for code in ("en", "zh", "bn")]
    drawn = figures.per_language([run(tmp_path / "run", cells)], "understanding", native=True)
    assert [t.get_text() for t in drawn.figure.axes[0].get_xticklabels()] == ["English", "zh", "bn"]
    assert "No installed font has the script of zh (Hani), bn (Beng)" in drawn.caption


def test_a_font_that_was_installed_later_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """matplotlib keeps a list of the fonts it found once; a font that is not on it is looked for before it is called missing."""
    from matplotlib import font_manager

    from lensbench.languages import get_language

    arabic = get_language("ar").native
    manager = font_manager.fontManager

    def has(face: font_manager.FontEntry) -> bool:
        try:
            return {ord(char) for char in arabic} <= set(font_manager.get_font(face.fname).get_charmap())
        except (OSError, RuntimeError):
            return False

    with_it = [face for face in manager.ttflist if has(face)]
    if not {str(face.fname) for face in with_it} & set(font_manager.findSystemFonts()):
        pytest.skip("no font of this machine has Arabic")
    forget = [fonts._faces.cache_clear, fonts._characters.cache_clear]
    monkeypatch.setattr(manager, "ttflist", [face for face in manager.ttflist if face not in with_it])
    for one in forget:
        one()
    try:
        label = fonts.labels_for(["ar"], native=True)["ar"]
        assert not label.missing and label.text == arabic
    finally:
        monkeypatch.undo()
        for one in forget:
            one()


@pytest.mark.parametrize("native", [True, False])
def test_no_figure_draws_boxes(tmp_path: Path, recwarn: pytest.WarningsRecorder, native: bool) -> None:
    """matplotlib warns about every letter that none of the named fonts has. U+10FFFD is private, so no font has it."""
    codes = ("en", "zh", "ja", "ko", "ar", "bn", "sw", "th", "hi", "ta")
    names = ("base", "中文-عربي-\U0010fffd")
    cells = [cell("xcopa", code, name, 0.5, 0.4, 0.6) for code in codes for name in names]
    one = run(tmp_path / "run", cells, external={names[1]: "other"})
    for drawn in (figures.per_language([one], "understanding", native=native), figures.external([one], native=native)):
        drawn.svg()
        assert "U+10FFFD" in drawn.figure.legends[0].get_texts()[1].get_text()
    figures.matrix([matrix_run(tmp_path / "matrix")], native=native).svg()
    assert [str(w.message) for w in recwarn if "missing from" in str(w.message)] == []


def matrix_run(path: Path):
    common = {"task": "multiq", "identifier": IDENTIFIER, "level": "answer", "turn": 1, "answered": ["en", "zh", "empty"]}
    matrices = [
        {**common, "variant": "base", "asked": ["en", "zh"], "counts": [[100, 0, 0], [75, 1024, 1]], "totals": [100, 1100]},
        {**common, "variant": "lens", "asked": ["en", "zh"], "counts": [[100, 0, 0], [1, 298, 1]], "totals": [100, 300]},
    ]
    cells = [cell("multiq", code, "base", 0.5, 0.4, 0.6, metric="lf_turn1", source=IDENTIFIER) for code in ("en", "zh")]
    return run(path, cells, variants=("base", "lens"), matrices=matrices)


def test_the_matrix_shows_shares_of_its_rows(tmp_path: Path) -> None:
    drawn = figures.matrix([matrix_run(tmp_path / "run")])
    base, lens = drawn.figure.axes
    assert [t.get_text() for t in base.texts] == ["100", "·", "·", "7", "93", "<1"]
    assert [t.get_text() for t in lens.texts] == ["100", "·", "·", "<1", "99", "<1"]
    assert [t.get_text() for t in base.get_xticklabels()] == ["en", "zh", "empty"]
    assert "MultiQ, turn 1" in drawn.caption and "n = 100 to 1100 per row" in drawn.caption and "lid176" in drawn.caption


def test_numbers_in_the_matrix_can_be_read_on_their_fill(tmp_path: Path) -> None:
    from matplotlib.colors import to_hex

    for axes in figures.matrix([matrix_run(tmp_path / "run")]).figure.axes:
        fills = [p for p in axes.patches if p.get_fill()]
        for patch, text in zip(fills, axes.texts, strict=True):
            light, dark = sorted(
                (style.luminance(to_hex(patch.get_facecolor())), style.luminance(text.get_color())), reverse=True
            )
            assert (light + 0.05) / (dark + 0.05) >= 4.5


def test_the_report_can_ask_for_every_figure(bilingual, tmp_path: Path) -> None:
    made = figures.figures_for([bilingual])
    assert [caption.partition(".")[0] for caption, _ in made] == [
        "Closed tasks by language",
        "Answers to open questions by language",
    ]
    assert all(svg.rstrip().endswith("</svg>") for _, svg in made)
    assert any(caption.startswith("MultiQ") for caption, _ in figures.figures_for([matrix_run(tmp_path / "m")]))


def test_the_command_writes_the_figure_and_prints_the_caption(cli, bilingual, tmp_path: Path) -> None:
    from lensbench.spec import RunSpec

    folder = bilingual.folder
    folder.begin(RunSpec(lensbench="0", backbone="b", languages=("zh",), profile="lens-paper", tasks=(), data="embedded"))
    # A folder that was sent without what its results were made from.
    content = content_of([cell.as_dict() for cell in bilingual.results.cells])
    folder.write_json("results.json", content)
    done = cli("figure", "understanding", folder.path, "--out", tmp_path / "out" / "a.svg")
    assert done.returncode == 0, done.stderr
    assert "Without a score, and in no mean: 3 of 400" in done.stdout and (tmp_path / "out" / "a.svg").is_file()
    wrong = cli("figure", "understanding", folder.path, "--out", tmp_path / "a.gif")
    assert wrong.returncode == 2 and "Endings" in wrong.stderr
    assert json.loads((folder.path / "results.json").read_text())["backbone"] == "hand-made"

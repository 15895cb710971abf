"""Ablations and layer sweeps: x is what the fit was recorded with, y the cells, and runs that differ in more stand apart."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from figure_help import cell, rating, run

from lensbench.errors import RunError, UsageError
from lensbench.reporting import figures
from lensbench.reporting.figures import Choice
from lensbench.reporting.figures.sweeps import Setting, find_sweeps

pytestmark = pytest.mark.skipif(find_spec("matplotlib") is None, reason="needs matplotlib")

BASE = {"en": (0.50, 0.41, 0.60), "zh": (0.30, 0.22, 0.40)}


def fitted(path: Path, values: dict[str, tuple[float, float, float]], first: int, label: str, **config: Any):
    """A run of LENS with `values` per language, from block `first` (0-based), and this configuration."""
    cells = [cell("xcopa", code, "base", *BASE[code]) for code in values] + [
        cell("xcopa", c, "lens", *v) for c, v in values.items()
    ]
    settings = {"start_layer": first + 1, "alignment_weight": 1.0, "push_strength": {"zh": 1.0}, **config}
    return run(path, cells, label=label, cards={"lens": {"config": settings, "first_changed_layer": first}})


def line(axes, language: str):
    return next(drawn for drawn in axes.lines if drawn.get_label() == language)


@pytest.fixture
def layered(tmp_path: Path):
    values = {28: 0.35, 10: 0.2, 31: 0.3}
    return [
        fitted(tmp_path / str(first), {"en": (0.5, 0.4, 0.6), "zh": (zh, zh - 0.08, zh + 0.09)}, first, str(first))
        for first, zh in values.items()
    ]


def test_layers_are_drawn_at_the_recorded_block_counted_from_one(layered) -> None:
    drawn = figures.layers(layered)
    (axes,) = drawn.figure.axes
    zh = line(axes, "zh")
    assert list(zh.get_xdata()) == [11, 29, 32] and list(zh.get_ydata()) == pytest.approx([20, 35, 30])
    assert list(line(axes, "en").get_ydata()) == pytest.approx([50, 50, 50])
    assert axes.get_xlabel() == "first changed block"
    assert "Ribbons are 95% intervals" in drawn.caption and "Dotted: the untouched backbone." in drawn.caption


def test_ribbons_are_the_cells_intervals_and_dots_the_backbone(layered) -> None:
    (axes,) = figures.layers(layered).figure.axes
    corners = [{(round(float(x)), round(float(y), 6)) for x, y in band.get_paths()[0].vertices} for band in axes.collections]
    assert {(11, 12), (29, 27), (32, 22), (11, 29), (29, 44), (32, 39)} <= corners[1]
    assert {(11, 40), (29, 60), (32, 40)} <= corners[0]
    dotted = sorted(
        drawn.get_ydata()[0] for drawn in axes.lines if len(set(drawn.get_ydata())) == 1 and len(drawn.get_ydata()) == 2
    )
    assert dotted == pytest.approx([30, 50])


def test_languages_differ_by_marker_dash_and_colour(layered) -> None:
    (axes,) = figures.layers(layered).figure.axes
    en, zh = line(axes, "en"), line(axes, "zh")
    assert en.get_marker() != zh.get_marker() and en.get_linestyle() != zh.get_linestyle() and en.get_color() != zh.get_color()


def test_a_layer_sweep_differs_in_nothing_else(layered, tmp_path: Path) -> None:
    other = fitted(tmp_path / "other", {"zh": (0.3, 0.2, 0.4)}, 20, "o", alignment_weight=0.5)
    with pytest.raises(UsageError, match="more than the start layer: alignment_weight"):
        figures.layers([*layered, other])
    with pytest.raises(UsageError, match="every run starts at block 29"):
        figures.layers(layered[:1])


def test_an_ablation_has_a_column_for_every_switch(tmp_path: Path) -> None:
    def make(name: str, zh: float, **config: Any):
        return fitted(tmp_path / name, {"zh": (zh, zh - 0.1, zh + 0.1)}, 30, name, **config)

    runs = [
        make("usual", 0.5),
        make("a0", 0.40, alignment_weight=0.0),
        make("a2", 0.45, alignment_weight=2),
        make("p0", 0.30, push_strength={"zh": 0.0}),
        make("both", 0.99, alignment_weight=0.0, push_strength={"zh": 0.0}),
    ]
    drawn = figures.ablation(runs)
    found = {
        axes.get_xlabel(): (list(line(axes, "zh").get_xdata()), list(line(axes, "zh").get_ydata())) for axes in drawn.figure.axes
    }
    # The run that differs in two switches is in neither panel.
    assert found["alignment_weight"] == ([0, 1, 2], pytest.approx([40, 50, 45]))
    assert found["push_strength.zh"] == ([0, 1], pytest.approx([30, 50]))
    assert "push_strength.zh: alignment_weight = 1.0" in drawn.caption
    (only,) = figures.ablation(runs, fields=["push_strength.zh"]).figure.axes
    assert only.get_xlabel() == "push_strength.zh"
    with pytest.raises(UsageError, match="Did you mean 'alignment_weight'"):
        figures.ablation(runs, fields=["alignment_wait"])
    with pytest.raises(UsageError, match="'start_layer' is 31 in every run"):
        figures.ablation(runs, fields=["start_layer"])


def test_switches_that_are_words_stand_apart_unjoined(tmp_path: Path) -> None:
    runs = [
        fitted(tmp_path / t, {"zh": (v, v - 0.1, v + 0.1)}, 30, t, probe_text=t)
        for t, v in (("inputs", 0.4), ("inputs+targets", 0.5))
    ]
    (axes,) = figures.ablation(runs).figure.axes
    assert [t.get_text() for t in axes.get_xticklabels()] == ["inputs", "inputs+targets"]
    assert line(axes, "zh").get_linestyle() == "None" and list(line(axes, "zh").get_ydata()) == pytest.approx([40, 50])


def test_seeds_at_one_value_are_points_and_no_line(tmp_path: Path) -> None:
    runs = [
        fitted(tmp_path / str(i), {"zh": (v, v - 0.1, v + 0.1)}, f, str(i))
        for i, (f, v) in enumerate(((9, 0.3), (9, 0.4), (20, 0.5)))
    ]
    (axes,) = figures.layers(runs).figure.axes
    drawn = line(axes, "zh")
    assert (
        drawn.get_linestyle() == "None"
        and list(drawn.get_xdata()) == [10, 10, 21]
        and list(drawn.get_ydata()) == pytest.approx([30, 40, 50])
    )


def test_a_backbone_the_runs_do_not_agree_on_is_not_drawn(tmp_path: Path) -> None:
    runs = [fitted(tmp_path / str(f), {"zh": (0.3, 0.2, 0.4)}, f, str(f)) for f in (9, 20)]
    moved = [replace(c, value=0.31) if c.variant == "base" else c for c in runs[1].results.cells]
    runs[1] = replace(runs[1], results=replace(runs[1].results, cells=tuple(moved)))
    drawn = figures.layers(runs)
    assert len(drawn.figure.axes[0].lines) == 1
    assert "Not drawn where the runs do not agree on it: XCOPA (zh)." in drawn.caption


def test_means_stand_for_their_tasks_beside_ratings(tmp_path: Path) -> None:
    runs = []
    for first, value in ((9, 0.31), (20, 0.42)):
        cells = [cell(t, "zh", "lens", value, value - 0.1, value + 0.1) for t in ("xcopa", "m_mmlu")] + [
            rating("zh", "lens", 6, 5, 7)
        ]
        mean = {**cells[0], "over": "tasks", "task": None, "cells": ["xcopa/zh", "m_mmlu/zh"], "value": value + 0.01}
        card = {"config": {"start_layer": first + 1}, "first_changed_layer": first}
        runs.append(run(tmp_path / str(first), cells, label=str(first), averages=[mean], cards={"lens": card}))
    drawn = figures.layers(runs)
    assert [axes.get_title(loc="left") for axes in drawn.figure.axes] == ["Mean of 2 tasks", "MT-Bench · strict (m)"]
    assert list(line(drawn.figure.axes[0], "zh").get_ydata()) == pytest.approx([32, 43])
    named = figures.layers(runs, Choice(tasks=("m_mmlu",))).figure.axes
    assert [axes.get_title(loc="left") for axes in named] == ["M-MMLU"]


def test_runs_of_unlike_backbones_or_without_a_fit_are_refused(layered, tmp_path: Path) -> None:
    other = run(tmp_path / "x", [cell("xcopa", "zh", "lens", 0.1, 0.0, 0.2)], backbone="another")
    with pytest.raises(UsageError, match="2 backbones"):
        figures.layers([*layered, other])
    bare = run(tmp_path / "y", [cell("xcopa", "zh", "base", 0.1, 0.0, 0.2)])
    with pytest.raises(UsageError, match="no fitted variants"):
        figures.layers([bare])
    (layered[0].folder.enhancement("lens") / "card.json").write_text("{")
    with pytest.raises(RunError, match=r"card\.json: not readable as JSON"):
        figures.layers(layered)


def test_a_numbers_spelling_is_no_difference() -> None:
    settings = [Setting(i, "lens", {"weight": w, "other": o}, 1) for i, (w, o) in enumerate(((1, 0), (1.0, 0), (2, 0)))]
    (sweep,) = find_sweeps(settings)
    assert sweep.field == "weight" and [value for value, _, _ in sweep.points] == [1, 1.0, 2]

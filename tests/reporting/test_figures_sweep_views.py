"""`figure sweep` and `figure pareto`: what is drawn are the numbers of the settings, and what cannot be drawn says why."""

from __future__ import annotations

import json
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import pytest
from simulated_sweep import LAYERS, PUSHES, name_of, sweep_run

from lensbench.errors import UsageError
from lensbench.numbers.results import collect_results
from lensbench.numbers.run_results import read_results
from lensbench.reporting import figures
from lensbench.reporting.figures import Choice, save_figure
from lensbench.reporting.figures.diverging import diverging
from lensbench.reporting.figures.style import luminance
from lensbench.reporting.run_view import RunView

pytestmark = pytest.mark.skipif(find_spec("matplotlib") is None, reason="needs matplotlib")

FAILED = [name_of({"start_layer": 26, "push_strength": 1.0}, seed) for seed in (0, 1, 2)]


def view(folder) -> RunView:
    (folder.path / "results.json").write_text(json.dumps(collect_results(folder)), encoding="utf-8")
    return RunView(folder, read_results(folder.read_json("results.json")))


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory) -> RunView:
    """Four blocks by three strengths; one combination failed with all of its seeds, one was not tried."""
    folder = sweep_run(
        tmp_path_factory.mktemp("grid") / "run",
        items=24,
        tasks=("xcopa", "open_questions"),
        failed=FAILED,
        left_out=lambda values: values == {"start_layer": 29, "push_strength": 1.0},
    )
    return view(folder)


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> RunView:
    return view(sweep_run(tmp_path_factory.mktemp("line") / "run", {"start_layer": (26, 27, 28)}, items=24, tasks=("xcopa",)))


def texts(axes) -> dict[tuple[float, float], str]:
    return {(round(t.get_position()[0]), round(t.get_position()[1])): t.get_text() for t in axes.texts}


def test_cells_of_the_heat_map_are_the_means_and_frames_the_intervals(grid: RunView) -> None:
    drawn = figures.sweep([grid])
    titles = [axes.get_title(loc="left") for axes in drawn.figure.axes]
    assert titles == [f"{m}, {place}" for m in ("Accuracy", "Asked language") for place in ("target languages", "English")]
    axes = drawn.figure.axes[0]
    assert [t.get_text() for t in axes.get_xticklabels()] == [str(layer) for layer in LAYERS]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["0.25", "0.5", "1"]
    measure = next(one for one in grid.sweep_table.measures if one.metric.name == "acc")
    shown = texts(axes)
    for setting in grid.sweep_table.settings:
        place = LAYERS.index(setting.values["start_layer"]), PUSHES.index(setting.values["push_strength"])
        number = measure.targets[setting.name]
        assert shown.pop(place) == ("× failed" if number.delta is None else f"{100 * number.delta:+.1f}")
    assert shown == {} and (3, 2) not in shown
    frames = [patch for patch in axes.patches if patch.get_label() == "_excludes"]
    assert len(frames) == sum(number.excludes_zero for number in measure.targets.values())
    assert "Hatched: 1 combination that the run did not try." in drawn.caption and "Could not be fitted: lens[" in drawn.caption


def test_maps_of_a_measure_share_a_scale_with_0_in_the_middle(grid: RunView) -> None:
    measure = next(one for one in grid.sweep_table.measures if one.metric.name == "acc")
    numbers = [n for table in (measure.targets, measure.english) for n in table.values() if n.delta is not None]
    reach = max(abs(n.delta) for n in numbers)
    from matplotlib.colors import to_hex

    for axes, table in zip(figures.sweep([grid]).figure.axes, (measure.targets, measure.english), strict=False):
        fills = {to_hex(p.get_facecolor()) for p in axes.patches if p.get_label() != "_excludes"}
        for number in table.values():
            if number.delta is not None:
                assert diverging(number.delta / reach) in fills


def lab(colour: str) -> tuple[float, float, float]:
    """CIELAB under D65, from the standard's formulas."""
    r, g, b = (
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    )
    xyz = (
        (0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.95047,
        0.2126 * r + 0.7152 * g + 0.0722 * b,
        (0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.08883,
    )
    x, y, z = (v ** (1 / 3) if v > 0.008856 else 7.787 * v + 16 / 116 for v in xyz)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def apart(one: str, other: str) -> float:
    return sum((a - b) ** 2 for a, b in zip(lab(one), lab(other), strict=True)) ** 0.5


def test_equal_differences_are_about_equal_steps_of_colour() -> None:
    for sign in (-1, 1):
        scale = [diverging(sign * step / 8) for step in range(9)]
        steps = [apart(a, b) for a, b in pairwise(scale)]
        assert max(steps) < 1.8 * min(steps)
        lights = [luminance(colour) for colour in scale]
        assert lights == sorted(lights, reverse=True)
    # Both ends are as far from the middle in lightness, so neither looks the larger.
    assert abs(lab(diverging(1))[0] - lab(diverging(-1))[0]) < 6
    assert diverging(0).lower() in {"#fafafa", "#f9f9f9", "#fbfbfb", "#fafbfa"}


@pytest.mark.parametrize(
    "matrix",
    [
        # Full deuteranopia and protanopia in linear RGB (Machado, Oliveira and Fernandes 2009, severity 1.0).
        ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
        ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    ],
)
def test_gain_and_loss_are_told_apart_without_red_or_green(matrix: tuple[tuple[float, ...], ...]) -> None:
    def seen(colour: str) -> str:
        linear = [
            c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
            for c in (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
        ]
        parts = [min(1, max(0, sum(a * b for a, b in zip(row, linear, strict=True)))) for row in matrix]
        return "#" + "".join(
            f"{round(255 * (12.92 * p if p <= 0.0031308 else 1.055 * p ** (1 / 2.4) - 0.055)):02x}" for p in parts
        )

    for share in (0.25, 0.5, 1.0):
        assert apart(seen(diverging(share)), seen(diverging(-share))) > 40 * share


def test_lines_go_through_the_means_with_seeds_as_rings_and_the_margin(line: RunView) -> None:
    drawn = figures.sweep([line])
    (axes,) = drawn.figure.axes
    (measure,) = line.sweep_table.measures
    for name, table in (("target languages", measure.targets), ("English", measure.english)):
        own = next(one for one in axes.lines if one.get_label() == name)
        assert list(own.get_xdata()) == [26, 27, 28]
        wanted = [100 * table[f"lens[start_layer={layer}]"].delta for layer in (26, 27, 28)]
        assert list(own.get_ydata()) == pytest.approx(wanted)
    rings = [y for one in axes.lines if one.get_label() == "_seeds" for y in one.get_ydata()]
    seeds = [100 * s for table in (measure.targets, measure.english) for n in table.values() for s in n.seeds.values()]
    assert sorted(rings) == pytest.approx(sorted(seeds)) and len(rings) == 18
    (margin,) = [one for one in axes.lines if one.get_label() == "_margin"]
    assert list(margin.get_ydata()) == pytest.approx([-1, -1])
    ends = {round(float(y), 6) for band in axes.collections for path in band.get_paths() for _, y in path.vertices}
    assert {round(100 * end, 6) for n in measure.targets.values() for end in (n.low, n.high)} <= ends
    assert "95% intervals over seeds and items" in drawn.caption and "Seeds a setting: 3." in drawn.caption


def test_layers_show_seeds_and_the_two_way_interval_around_the_level(line: RunView) -> None:
    drawn = figures.layers([line])
    (axes,) = drawn.figure.axes
    values = {(c.language, c.variant): c.value for c in line.results.cells}
    zh = next(one for one in axes.lines if one.get_label() == "zh")
    settings = {s.values["start_layer"]: s for s in line.sweep_table.settings}
    means = [100 * sum(values["zh", v] for v in settings[layer].variants) / 3 for layer in (26, 27, 28)]
    assert list(zh.get_xdata()) == [26, 27, 28] and list(zh.get_ydata()) == pytest.approx(means)
    rings = sorted(y for one in axes.lines if one.get_label() == "_seeds" for y in one.get_ydata())
    assert rings == pytest.approx(sorted(100 * v for (_, variant), v in values.items() if variant != "base"))
    group = next(g for g in line.results.seed_groups if g.language == "zh" and g.variants == settings[27].variants)
    low = means[1] + 100 * (group.delta_low - group.delta)
    ends = {round(float(y), 6) for band in axes.collections for path in band.get_paths() for _, y in path.vertices}
    assert round(low, 6) in ends
    assert "Rings are single seeds, 3 a setting" in drawn.caption


def test_the_ablation_takes_no_seed_for_a_switch(line: RunView) -> None:
    (axes,) = figures.ablation([line]).figure.axes
    assert axes.get_xlabel() == "first changed block"
    with pytest.raises(UsageError, match="'seed' is no switch of its own"):
        figures.ablation([line], fields=["seed"])


def test_the_front_is_a_step_line_through_its_members(grid: RunView) -> None:
    drawn = figures.pareto([grid])
    axes = drawn.figure.axes[0]
    measure = next(one for one in grid.sweep_table.measures if one.metric.name == "acc")
    points = {
        one.get_label(): (one.get_xdata()[0], one.get_ydata()[0]) for one in axes.lines if one.get_label().startswith("lens[")
    }
    assert points == {
        name: pytest.approx((100 * measure.english[name].delta, 100 * number.delta))
        for name, number in measure.targets.items()
        if number.delta is not None
    }
    (front,) = [one for one in axes.lines if one.get_label() == "_front"]
    corners = list(zip(front.get_xdata(), front.get_ydata(), strict=True))
    for name in measure.front.members:
        at = (0.0, 0.0) if name == "base" else points[name]
        assert any(corner == pytest.approx(at) for corner in corners)
    # Every step is level or upright.
    assert all(a[0] == b[0] or a[1] == b[1] for a, b in pairwise(corners))
    assert "Without both numbers, and not shown: 1 of 11 settings." in drawn.caption


def test_labels_cover_neither_each_other_nor_a_point(grid: RunView) -> None:
    from matplotlib.text import Text

    figure = figures.pareto([grid]).figure
    figure.draw_without_rendering()
    for axes in figure.axes:
        boxes = [Text.get_window_extent(text) for text in axes.texts]
        assert boxes
        assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[i + 1 :])
        for one in axes.lines:
            if one.get_label().startswith("lens["):
                at = axes.transData.transform((one.get_xdata()[0], one.get_ydata()[0]))
                assert not any(box.contains(*at) for box in boxes)


@pytest.mark.parametrize("kind", [figures.sweep, figures.pareto])
@pytest.mark.parametrize("form", ["svg", "pdf", "png"])
def test_the_same_run_gives_the_same_file(grid: RunView, tmp_path: Path, kind, form: str) -> None:
    for name in ("a", "b"):
        drawn = kind([grid])
        save_figure(drawn.figure, tmp_path / f"{name}.{form}", drawn.caption)
    one, other = ((tmp_path / f"{name}.{form}").read_bytes() for name in ("a", "b"))
    assert one == other and len(one) > 1000


def test_a_run_without_a_sweep_says_how_to_make_one(tmp_path: Path) -> None:
    single = view(sweep_run(tmp_path / "run", {"start_layer": (26,)}, (0,), items=6, tasks=("xcopa",)))
    with pytest.raises(UsageError, match="has no sweep") as error:
        figures.sweep([single])
    assert "sweep=METHOD.KEY" in error.value.hint
    with pytest.raises(UsageError, match="fewer than two settings"):
        figures.pareto([single])


def test_what_is_named_must_be_there(grid: RunView, line: RunView) -> None:
    with pytest.raises(UsageError, match="unknown switch 'start_layr'") as error:
        figures.sweep([grid], by=["start_layr"])
    assert "Did you mean 'start_layer'" in error.value.hint
    with pytest.raises(UsageError, match="'rank' has the same value"):
        figures.sweep([grid], by=["rank"])
    with pytest.raises(UsageError, match="unknown method with several settings 'lenz'"):
        figures.sweep([grid], Choice(variants=("lenz",)))
    with pytest.raises(UsageError, match="unknown metric 'ac'"):
        figures.sweep([grid], Choice(metrics=("ac",)))
    with pytest.raises(UsageError, match="on the run's endpoints"):
        figures.sweep([grid], Choice(tasks=("xcopa",)))
    with pytest.raises(UsageError, match="is of one run, here are 2"):
        figures.pareto([grid, line])
    with pytest.raises(UsageError, match="all target languages together"):
        figures.pareto([grid], Choice(languages=("zh",)))


def test_chosen_languages_replace_the_targets_and_over_makes_panels(grid: RunView) -> None:
    drawn = figures.sweep([grid], Choice(languages=("zh", "en"), metrics=("acc",)))
    assert [axes.get_title(loc="left") for axes in drawn.figure.axes] == ["Accuracy, zh", "Accuracy, English"]
    panels = figures.sweep([grid], Choice(metrics=("acc",)), by=["start_layer"], over="lens.push_strength")
    names = [axes.get_title(loc="left") for axes in panels.figure.axes]
    assert names == [f"Accuracy, push_strength = {push}" for push in ("0.25", "0.5", "1")]
    held = figures.sweep([grid], by=["start_layer"])
    assert "Held: start_layer: push_strength = 0.25." in held.caption and "4 of 11 settings" in held.caption

"""Variants as settings: what varies, what is a seed, and in which shape it can be drawn."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from lensbench.errors import UsageError
from lensbench.numbers.fitted_variants import FittedVariant
from lensbench.numbers.sweep_settings import MethodSweep, method_sweeps, shown_value
from lensbench.numbers.sweep_shape import shape_of


def variant(name: str, seed: int | None = 0, failed: str | None = None, method: str = "lens", **config: Any) -> FittedVariant:
    return FittedVariant(name, method, {"rank": 1, **config}, seed, failed)


def grid(**values: list[Any]) -> MethodSweep:
    found = [variant(str(i), **dict(zip(values, own, strict=True))) for i, own in enumerate(product(*values.values()))]
    (sweep,) = method_sweeps(found)
    return sweep


def test_seeds_of_one_configuration_are_one_setting() -> None:
    (sweep,) = method_sweeps(
        [
            variant("lens[start_layer=3,seed=0]", 0, start_layer=3),
            variant("lens[start_layer=4,seed=0]", 0, start_layer=4),
            variant("lens[start_layer=3,seed=1]", 1, start_layer=3.0),
            variant("lens[start_layer=4,seed=1]", 1, "diverged", start_layer=4),
        ]
    )
    one, other = sweep.settings
    assert (one.name, one.variants, one.seeds) == (
        "lens[start_layer=3]",
        ("lens[start_layer=3,seed=0]", "lens[start_layer=3,seed=1]"),
        (0, 1),
    )
    assert other.variants == ("lens[start_layer=4,seed=0]",) and other.failed == {"lens[start_layer=4,seed=1]": "diverged"}
    assert [(switch.name, switch.values) for switch in sweep.switches] == [("start_layer", (3, 4))]
    assert sweep.fixed == ("rank",)


def test_parts_of_a_mapping_are_switches_of_their_own() -> None:
    (sweep,) = method_sweeps([variant(str(s), push_strength={"zh": s, "ja": 1}) for s in (0.5, 1)])
    assert [switch.name for switch in sweep.switches] == ["push_strength.zh"] and "push_strength.ja" in sweep.fixed
    # A number beside a mapping: the value as a whole.
    (mixed,) = method_sweeps([variant("a", push_strength={"zh": 1}), variant("b", push_strength=2)])
    assert [switch.name for switch in mixed.switches] == ["push_strength"]
    assert sorted(shown_value(value) for value in mixed.switches[0].values) == ["2", "{zh: 1}"]


def test_presets_and_unknown_configurations_are_no_switches() -> None:
    (sweep,) = method_sweeps([variant("a", preset="x"), variant("b", preset="y", rank=2), FittedVariant("c", "lens", None, None)])
    assert [switch.name for switch in sweep.switches] == ["rank"]
    assert [setting.values for setting in sweep.settings] == [{"rank": 1}, {"rank": 2}, {}]


def test_two_variants_with_one_seed_are_two_settings() -> None:
    (sweep,) = method_sweeps([variant("a", 1), variant("b", 1), variant("c", 2)])
    assert sorted(setting.variants for setting in sweep.settings) == [("a", "c"), ("b",)] and not sweep.varies


def test_methods_have_their_own_sweeps() -> None:
    sweeps = method_sweeps([variant("a", rank=2), variant("b", rank=3), variant("x", method="xsft", epochs=1)])
    assert [(sweep.method, sweep.varies) for sweep in sweeps] == [("lens", True), ("xsft", False)]


def test_an_unknown_switch_names_the_nearest_and_a_fixed_one_says_so() -> None:
    sweep = grid(start_layer=[1, 2])
    assert sweep.switch("lens.start_layer") == sweep.switch("start_layer")
    with pytest.raises(UsageError) as unknown:
        sweep.switch("start_layr")
    assert "Did you mean 'start_layer'" in unknown.value.hint
    with pytest.raises(UsageError, match="'rank' has the same value in all settings"):
        sweep.switch("rank")


def test_one_switch_is_a_line_in_the_order_of_its_values() -> None:
    (line,), grids = shape_of(grid(start_layer=[10, 9, 30]))
    assert grids == [] and [value for value, _ in line.points] == [9, 10, 30] and line.held == {}


def test_two_switches_are_a_grid_whose_missing_cells_stay_empty() -> None:
    full = grid(start_layer=[1, 2, 3], push_strength=[0.5, 1])
    sweep = MethodSweep(full.method, full.switches, full.settings[1:], full.fixed)
    lines, (found,) = shape_of(sweep)
    assert lines == [] and (found.x.name, found.y.name, found.missing) == ("start_layer", "push_strength", 1)
    for (x, y), setting in found.cells.items():
        assert setting.values == {"start_layer": found.x.values[x], "push_strength": found.y.values[y]}


def test_changes_one_at_a_time_are_a_line_each() -> None:
    values = [(2, 1.0), (2, 0.0), (2, 0.5), (1, 1.0), (3, 1.0)]
    (sweep,) = method_sweeps([variant(str(i), rank=r, retain_weight=w) for i, (r, w) in enumerate(values)])
    lines, grids = shape_of(sweep)
    assert grids == []
    found = {line.switch.name: ([value for value, _ in line.points], dict(line.held)) for line in lines}
    assert found == {"rank": ([1, 2, 3], {"retain_weight": 1.0}), "retain_weight": ([0.0, 0.5, 1.0], {"rank": 2})}


def test_three_switches_have_a_grid_for_each_value_of_the_smallest() -> None:
    sweep = grid(a=[1, 2, 3], b=[1, 2, 3, 4], c=["x", "y"])
    _, grids = shape_of(sweep)
    assert [(one.x.name, one.y.name, one.panel, one.held["c"]) for one in grids] == [("b", "a", "c", "x"), ("b", "a", "c", "y")]
    lines, _ = shape_of(sweep, by=["lens.b"], over="a")
    assert [line.held["a"] for line in lines] == [1, 2, 3] and {line.held["c"] for line in lines} == {"x"}


@pytest.mark.parametrize(
    ("by", "over", "message"),
    [
        ((), None, "4 switches vary"),
        (("a", "a"), None, "'a' is named twice"),
        (("a",), "lens.a", "'a' is named twice"),
        (("a", "b", "c"), None, "one switch or two"),
    ],
)
def test_what_cannot_be_drawn_says_what_to_name(by: tuple[str, ...], over: str | None, message: str) -> None:
    with pytest.raises(UsageError, match=message) as error:
        shape_of(grid(a=[1, 2], b=[1, 2], c=[1, 2], d=[1, 2]), by, over)
    assert error.value.hint


def test_too_many_panels_and_a_method_without_a_sweep_are_refused() -> None:
    with pytest.raises(UsageError, match="'a' has 13 values"):
        shape_of(grid(a=list(range(13)), b=[1, 2]), by=["b"], over="a")
    (single,) = method_sweeps([variant("a")])
    with pytest.raises(UsageError, match="lens has one setting"):
        shape_of(single)

"""A sweep is more variants: how many, in which order, under which names, and which sweeps are refused."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lensbench.errors import UsageError
from lensbench.plan.plan import Plan, make_plan
from lensbench.plan.request import RunRequest
from lensbench.plan.sweep import MOST_UNASKED, TooManyVariants
from lensbench.plan.sweep_text import parse_sweep
from lensbench.safenames import folder_name, is_safe_name


def plan(*methods: str, **changes: Any) -> Plan:
    given = {"backbone": "smollm2-135m", "languages": ("zh", "ja"), "tasks": ("multiq",), "data": "embedded", **changes}
    return make_plan(RunRequest(methods=methods, **given))


def names(*methods: str, **changes: Any) -> list[str]:
    return list(plan(*methods, **changes).spec.variant_names)


GRID = {"lens.start_layer": (26, 27), "lens.push_strength": (0.5, 1)}


def test_a_grid_and_seeds_make_a_variant_each() -> None:
    found = plan("lens", sweep=(GRID,), seeds=(0, 1)).variants
    assert [(v.config.start_layer, v.config.push_strength, v.config.seed) for v in found.values()] == list(
        product((26, 27), (0.5, 1.0), (0, 1))
    )
    assert list(found)[1] == "lens[start_layer=26,push_strength=0.5,seed=1]"
    assert folder_name(list(found)[1]) == "lens-start_layer-26-push_strength-0.5-seed-1"
    assert {v.method for v in found.values()} == {"lens"}


def test_the_methods_own_value_stands_in_the_name_too() -> None:
    assert names("lens", sweep=({"lens.rank": (1, None)},)) == ["lens[rank=1]", "lens[rank=null]"]
    assert names("lens", seeds=(42, 1)) == ["lens[seed=42]", "lens[seed=1]"]


def test_a_sweep_names_its_method_and_leaves_the_others() -> None:
    sweep = ({"xsft.seed": (1, 2)},)
    assert names("lens", sweep=sweep) == ["lens", "xsft[seed=1]", "xsft[seed=2]"]
    assert names("xsft", "lens", sweep=sweep) == ["xsft[seed=1]", "xsft[seed=2]", "lens"]
    both = ({"lens.rank": (1, 2), "xsft.seed": (1, 2)},)
    assert len(names(sweep=both)) == 4, "settings of two methods are not combined"


def test_grids_are_tried_one_after_the_other() -> None:
    found = names("lens", sweep=({"lens.alignment_weight": (0, 2)}, {"lens.retain_weight": (0,)}))
    assert found == ["lens[alignment_weight=0.0]", "lens[alignment_weight=2.0]", "lens[retain_weight=0.0]"]


def test_named_variants_are_refitted_and_not_swept() -> None:
    found = plan("lens", variants=("wide=lens:rank=1",), sweep=({"lens.start_layer": (26, 27)},), seeds=(0, 1)).variants
    assert list(found)[-2:] == ["wide[seed=0]", "wide[seed=1]"] and len(found) == 6
    assert [(v.config.rank, v.config.seed) for v in list(found.values())[-2:]] == [(1, 0), (1, 1)]
    own = plan(variants=("wide=lens:rank=1",), seeds=(0, 1), overrides=("wide.epochs=7",)).variants
    assert [v.config.epochs for v in own.values()] == [7, 7], "a setting for `wide` is for each of its seeds"


def test_a_setting_of_one_language_is_swept() -> None:
    found = plan("lens", sweep=({"lens.push_strength.zh": (0.1, 0.2)},), overrides=("push_strength={zh: 1, ja: 0.5}",)).variants
    assert [v.config.push_strength for v in found.values()] == [{"zh": 0.1, "ja": 0.5}, {"zh": 0.2, "ja": 0.5}]
    assert list(found) == ["lens[push_strength.zh=0.1]", "lens[push_strength.zh=0.2]"]


_SWITCHES: dict[str, st.SearchStrategy[Any]] = {
    "start_layer": st.integers(1, 30) | st.integers(1, 9).map("last:{}".format),
    "rank": st.sampled_from([1, 2, None]),
    "push_strength": st.floats(0, 4, allow_nan=False),
    "retain_pool": st.sampled_from(["mean", "last", "all_positions"]),
    "epochs": st.integers(1, 99),
}


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_as_many_as_the_product_and_each_has_a_folder(data: st.DataObject) -> None:
    keys = data.draw(st.lists(st.sampled_from(sorted(_SWITCHES)), min_size=1, max_size=3, unique=True))
    grid = {f"lens.{key}": tuple(data.draw(st.lists(_SWITCHES[key], min_size=1, max_size=3, unique=True))) for key in keys}
    seeds = data.draw(st.none() | st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=3, unique=True).map(tuple))
    expected = [{}]
    for key, values in [*grid.items(), *([("lens.seed", seeds)] if seeds else [])]:
        expected = [{**one, key: value} for one in expected for value in values]
    found = plan("lens", sweep=(grid,), seeds=seeds, yes=True).variants
    assert [
        {f"lens.{key.removeprefix('lens.')}": getattr(v.config, key.removeprefix("lens.")) for key in expected[0]}
        for v in found.values()
    ] == expected
    folders = [folder_name(name) for name in found]
    assert len(set(folders)) == len(expected) and all(map(is_safe_name, folders))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"sweep": ({"lens.strat_layer": (1, 2)},)}, "Did you mean sweep=lens.start_layer?"),
        ({"sweep": ({"lnes.rank": (1, 2)},)}, "Did you mean 'lens'?"),
        ({"sweep": ({"rank": (1, 2)},)}, "sweep=rank names no setting of a method"),
        ({"sweep": ({"lens.rank": ()},)}, "so the grid has no variants"),
        ({"sweep": ({},)}, "sweep names no setting"),
        ({"sweep": ({"lens.rank": (1, 2, 1)},)}, "the value 1 is given twice"),
        ({"sweep": ({"lens.rank": (1, 1.0)},)}, "two variants that are the same"),
        ({"sweep": ({"lens.rank": (1, 2)}, {"lens.rank": (1,)})}, "'lens[rank=1]' is the same as 'lens[rank=1]'"),
        ({"sweep": ({"lens.rank": (1, 9)},)}, "variant lens:rank=9 of the sweep: rank 9 is out of range"),
        ({"sweep": ({"lens.rank": (1, "x")},)}, "variant lens:rank=x of the sweep"),
        (
            {"sweep": ({"lens.start_layer": (31, 33)},), "backbone": "llama3-8b"},
            "start_layer 33 is outside the model's 32 blocks",
        ),
        ({"sweep": ({"lens.start_layer": (30, 31)},)}, "start_layer 31 is outside the model's 30 blocks"),
        ({"variants": ("lens:rank=1",), "sweep": ({"lens.rank": (1, 2)},)}, "variants=lens:rank=1 is the same as 'lens[rank=1]'"),
        ({"seeds": (0, 1, 0)}, "the seed 0 is given twice"),
        ({"seeds": ()}, "seeds names no seed"),
        ({"seeds": (0, 1), "variants": ("lens:seed=1",)}, "variants=lens:seed=1 and seeds both set the seed"),
        ({"seeds": (0, 1), "sweep": ({"lens.seed": (0, 1)},)}, "both set the seed"),
        ({"seeds": (0, 1), "variants": ("wide=lens",), "overrides": ("wide.seed=3",)}, "is the same as"),
    ],
)
def test_sweeps_that_are_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError) as caught:
        plan("lens", **changes)
    assert says in str(caught.value)


def test_seeds_need_a_method() -> None:
    with pytest.raises(UsageError, match="no method is given"):
        plan(seeds=(0, 1))


def test_very_many_are_confirmed() -> None:
    grid = {"lens.epochs": tuple(range(1, MOST_UNASKED + 1))}
    assert len(names("lens", sweep=(grid,))) == MOST_UNASKED
    with pytest.raises(TooManyVariants, match="128 variants") as caught:
        names("lens", sweep=(grid,), seeds=(0, 1))
    assert caught.value.count == 128
    assert len(names("lens", sweep=(grid,), seeds=(0, 1), yes=True)) == 128


def test_a_million_are_counted_without_making_them() -> None:
    grid = {f"lens.{key}": tuple(range(1, 1001)) for key in ("epochs", "batch_size", "micro_batch")}
    with pytest.raises(TooManyVariants, match="1,000,000,000 variants"):
        names("lens", sweep=(grid,))


@pytest.mark.parametrize(
    ("lines", "grid"),
    [
        (("lens.start_layer=26,27", "lens.push_strength=0.5"), {"lens.start_layer": (26, 27), "lens.push_strength": (0.5,)}),
        (("lens.push_strength={zh: 1, ja: 2},3",), {"lens.push_strength": ({"zh": 1, "ja": 2}, 3)}),
        (("m.layers=[1,2],[3]",), {"m.layers": ([1, 2], [3])}),
        (("lens.rank=null,1",), {"lens.rank": (None, 1)}),
        (("lens.start_layer=last:2, last:3",), {"lens.start_layer": ("last:2", "last:3")}),
        (("lens.detach_central=true,false",), {"lens.detach_central": (True, False)}),
        (("lens.rank=",), {"lens.rank": ()}),
    ],
)
def test_values_are_read_as_those_of_settings(lines: tuple[str, ...], grid: dict[str, Any]) -> None:
    assert parse_sweep(lines) == grid


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (("lens.rank",), "takes METHOD.KEY=VALUE,VALUE"),
        (("lens.rank=1", "lens.rank=2"), "'lens.rank' is given twice"),
        (("lens.rank=1,,2",), "write null"),
        (("lens.rank=[1",), "sweep=lens.rank=[1"),
    ],
)
def test_lines_that_are_no_grid(lines: tuple[str, ...], says: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_sweep(lines)
    assert says in str(caught.value)

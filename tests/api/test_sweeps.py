"""`sweep` and `seeds` of a call: what may be given, and what a plan says about it."""

from __future__ import annotations

from typing import Any

import pytest

import lensbench as lb
from lensbench.api import TooManyVariants
from lensbench.api.sweeps import as_grids, as_seeds


def plan(**changes: Any) -> lb.RunPlan:
    given = {"backbone": "smollm2-135m", "data": "embedded", "methods": ["lens"], "tasks": ["multiq"], **changes}
    return lb.plan_run(given.pop("backbone"), **given)


def test_a_grid_is_given_as_mapping_list_or_lines() -> None:
    assert as_grids({"lens.rank": [1, 2]}) == as_grids(["lens.rank=1,2"]) == ({"lens.rank": (1, 2)},)
    assert as_grids([{"lens.rank": range(1, 3)}, {"lens.epochs": [1]}]) == ({"lens.rank": (1, 2)}, {"lens.epochs": (1,)})
    assert as_grids(None) == as_grids([]) == () and as_seeds(None) is None and as_seeds(range(2)) == (0, 1)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"sweep": "lens.rank=1,2"}, "must be a mapping of settings to lists"),
        ({"sweep": {"lens.rank": 1}}, "sweep=lens.rank must have a list of values, found 1"),
        ({"sweep": {"lens.rank": "12"}}, "must have a list of values"),
        ({"sweep": [{"lens.rank": [1]}, "lens.epochs=1"]}, "or only texts"),
        ({"seeds": "0,1"}, "seeds must be a list of whole numbers"),
        ({"seeds": [0, "1"]}, "seeds must be a whole number, found '1'"),
        ({"seeds": [-1]}, "seeds must be from 0 to 4294967295"),
    ],
)
def test_other_types_are_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(lb.UsageError) as caught:
        plan(**changes)
    assert says in str(caught.value)


def test_very_many_need_a_yes() -> None:
    sweep = {"lens.epochs": list(range(1, 100))}
    with pytest.raises(TooManyVariants, match="yes=True"):
        plan(sweep=sweep)
    assert len(plan(sweep=sweep, yes=True).spec.variants) == 99
    with pytest.raises(TooManyVariants):
        lb.evaluate("smollm2-135m", data="embedded", sweep=sweep)


def test_a_mapping_configures_what_is_swept_and_what_is_named() -> None:
    config = {"lens": {"epochs": 2}, "wide": {"epochs": 5}}
    made = plan(methods=[], sweep={"lens.rank": [1]}, variants={"wide": lb.Lens(start_layer=3)}, config=config)
    assert {choice.name: choice.config["epochs"] for choice in made.spec.variants} == {"lens[rank=1]": 2, "wide": 5}


def test_the_plan_counts_fits_items_and_answers() -> None:
    """Two settings and two seeds make four fits; with base, five variants answer three questions in each of two languages."""
    made = plan(sweep={"lens.start_layer": [26, 27]}, seeds=[0, 1], limit=3)
    assert list(made.items) == [3, 3] and made.as_dict()["fits"] == 4
    assert "work      4 fits; 6 items x 5 variants with base = 30 to score or answer" in made.view().notes
    table = next(table for table in made.view().tables if table.title)
    assert table.title == "4 variants to fit" and list(table.header) == ["variant", "method", "start_layer", "seed"]
    assert [list(row) for row in table.rows] == [
        [f"lens[start_layer={layer},seed={seed}]", "lens", str(layer), str(seed)] for layer in (26, 27) for seed in (0, 1)
    ]

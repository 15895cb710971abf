"""`pick` before anything is loaded: what can be chosen among, by which endpoint, and which items choose."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from small_rows import write_validation

import lensbench as lb
from lensbench.api.picks import as_pick
from lensbench.api.requests import run_request
from lensbench.numbers.picking.rule import PickRule
from lensbench.plan.picking import planned_rule
from lensbench.plan.plan import make_plan
from lensbench.plan.run_file import read_run_file
from lensbench.plan.run_file_text import run_file_text
from lensbench.spec import VariantChoice

SWEEP = {"lens.start_layer": [27, 28, 29]}


def plan(**changes: Any) -> lb.RunPlan:
    given = {"backbone": "smollm2-135m", "data": "embedded", "sweep": SWEEP, "tasks": ["xcopa", "multiq"], **changes}
    return lb.plan_run(given.pop("backbone"), **given)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (None, None),
        (False, None),
        (True, "share=0.3"),
        ("", "share=0.3"),
        ("validation", "validation,share=0.3"),
        ({"share": 0.2, "endpoint": "language"}, "share=0.2,endpoint=language"),
        ({"validation": True}, "validation,share=0.3"),
        ({"validation": False, "share": None}, "share=0.3"),
    ],
)
def test_a_rule_is_given_as_text_mapping_or_yes(given: Any, text: str | None) -> None:
    assert as_pick(given) == text


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"pick": 0.3}, "pick must be a rule as text, found 0.3"),
        ({"pick": {"shar": 0.3}}, "Did you mean 'share'?"),
        ({"pick": True, "sweep": None, "methods": ["lens"]}, "there is nothing to choose: lens has 1"),
        ({"pick": True, "sweep": None}, "there is nothing to choose: no method is given"),
        ({"pick": True, "sweep": {"lens.start_layer": [28]}, "seeds": [0, 1, 2]}, "lens has 1"),
        ({"pick": "endpoint=language", "tasks": ["xcopa"]}, "pick=endpoint=language: no task of this run has it"),
        ({"pick": "endpoint=accuracy", "tasks": ["multiq"]}, "It can be chosen by language or rating."),
        ({"pick": "validation"}, "no task of this run has a validation split in all its languages (xcopa, multiq)"),
    ],
)
def test_what_cannot_choose_is_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(lb.UsageError) as caught:
        plan(**changes)
    assert says in str(caught.value)


def test_methods_with_one_setting_each_choose_nothing() -> None:
    one, other = VariantChoice(method="lens", config={"seed": 1}), VariantChoice(method="xsft", config={"seed": 1})
    again = VariantChoice(name="lens[seed=2]", method="lens", config={"seed": 2})
    with pytest.raises(lb.UsageError, match="lens has 1, xsft has 1"):
        planned_rule(PickRule(), [one, other, again], [False], ["zh"])
    wide = VariantChoice(name="wide", method="lens", config={"seed": 1, "rank": 2})
    assert planned_rule(PickRule(), [one, other, wide], [False], ["zh"]).endpoint == "accuracy"
    with pytest.raises(lb.UsageError, match="no target language to choose by"):
        planned_rule(PickRule(), [one, wide], [], [])


def test_the_plan_says_who_chooses_by_what() -> None:
    made = plan(pick=True)
    assert made.as_dict()["pick"] == "share=0.3,endpoint=accuracy"
    notes = made.view().notes
    assert "pick      a setting of each method by accuracy over the targets; English must lose less than the margin" in notes
    assert "          xcopa, multiq: 30% of the source items" in notes
    assert plan(pick=True, tasks=["multiq"]).as_dict()["pick"] == "share=0.3,endpoint=language"
    assert plan().as_dict()["pick"] is None and not any(note.startswith("pick ") for note in plan().view().notes)


def test_a_share_asks_nothing_more_so_the_run_keeps_its_folder() -> None:
    assert plan(pick=True).out == plan().out and list(plan(pick=True).items) == list(plan().items)


def test_a_validation_split_is_asked_too(tmp_path: Path) -> None:
    data = write_validation(tmp_path / "data", ("en", "zh"))
    plain, made = plan(data=data), plan(data=data, pick="validation")
    assert list(plain.items) == [9, 9, 5, 5] and list(made.items) == [21, 21, 5, 5] and made.out != plain.out
    assert "          xcopa: its validation split; multiq: 30% of the source items" in made.view().notes
    assert list(plan(data=data, pick="validation", limit=4).items) == [8, 8, 4, 4]
    planned = {(task.task, task.language): task.development for task in made.spec.tasks}
    assert planned["xcopa", "zh"] == "validation" and planned["multiq", "zh"] is None


def test_a_split_that_a_language_lacks_or_that_examples_come_from_is_none(tmp_path: Path) -> None:
    """Development items of one language would be translations of test items of another; examples show their answers."""
    lacking, whole = write_validation(tmp_path / "a", ("zh",)), write_validation(tmp_path / "b", ("en", "zh"))
    for changes in ({"data": lacking}, {"data": whole, "num_fewshot": 2}):
        with pytest.raises(lb.UsageError, match="no task of this run has a validation split in all its languages"):
            plan(pick="validation", **changes)
    assert plan(data=lacking, pick="validation", english=False).spec.tasks[0].development == "validation"


@pytest.mark.parametrize("rule", [True, "validation,share=0.2,endpoint=accuracy"])
def test_the_run_file_carries_the_rule(tmp_path: Path, rule: Any) -> None:
    data = write_validation(tmp_path / "data", ("en", "zh"))
    request = run_request("smollm2-135m", {"data": str(data), "sweep": SWEEP, "tasks": ["xcopa"], "pick": rule})
    file = tmp_path / "run.yaml"
    file.write_text(run_file_text(request, make_plan(request), {}), encoding="utf-8")
    assert yaml.safe_load(file.read_text(encoding="utf-8"))["pick"] == as_pick(rule)
    assert run_request("smollm2-135m", read_run_file(file).arguments()).pick == as_pick(rule)


@pytest.mark.parametrize("value", ["true", "share=0.4", "{share: 0.4, validation: false}"])
def test_a_run_file_may_have_it_in_each_form(tmp_path: Path, value: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(f"backbone: smollm2-135m\nsweep: {{lens.rank: [1, 2]}}\npick: {value}\n", encoding="utf-8")
    assert as_pick(lb.read_run_file(file)["pick"]) in ("share=0.3", "share=0.4")

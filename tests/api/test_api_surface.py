"""What the API exports, and how it shows texts of strangers."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path
from typing import Any

import pytest
from simulated_run import simulate

import lensbench as lb
from lensbench import api
from lensbench.api.evaluation import evaluate
from lensbench.api.rendering import Question, TextTable, View
from lensbench.api.requests import RunChoices
from lensbench.stages.results import write_results


@pytest.mark.parametrize("module", [lb, api], ids=lambda module: module.__name__)
def test_every_name_is_there_and_no_module_hides_one(module: Any) -> None:
    """A module of the package with the name of a function would take its place once it is imported."""
    assert len(set(module.__all__)) == len(module.__all__)
    for name in module.__all__:
        found = getattr(module, name)
        assert not inspect.ismodule(found), name
    own = {path.stem for path in Path(str(module.__file__)).parent.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert not own & set(module.__all__)
    with pytest.raises(AttributeError, match="no attribute 'evaluat'"):
        getattr(module, "evaluat")  # noqa: B009


def test_what_type_checkers_read_is_what_there_is() -> None:
    """The imports under TYPE_CHECKING and the lazy table name the same modules."""
    for module, names in api.HOMES.items():
        for name in names:
            assert getattr(importlib.import_module(module), name) is getattr(api, name)
    assert {name for names in api.HOMES.values() for name in names} == set(api.__all__)


def test_public_functions_say_what_they_take() -> None:
    for name in api.__all__:
        found = getattr(api, name)
        if not inspect.isfunction(found):
            continue
        text = inspect.getdoc(found) or ""
        assert text, name
        parameters = [p.name for p in inspect.signature(found).parameters.values() if p.kind is not p.VAR_KEYWORD]
        if len(parameters) > 3:
            assert "Args:" in text, name


def test_plans_take_what_an_evaluation_takes() -> None:
    parameters = inspect.signature(evaluate).parameters
    of_plans = set(RunChoices.__annotations__)
    assert of_plans < set(parameters)
    rest = set(parameters) - of_plans - {"backbone"}
    assert rest - {"identifier", "resume", "progress"} == set(inspect.signature(lb.plan_run).parameters) - {"backbone", "choices"}


def test_the_signature_of_a_method_is_its_configuration() -> None:
    parameters = inspect.signature(lb.Lens).parameters
    assert parameters["rank"].default is None and parameters["n_probe"].default == 300 and "learning_rate" in parameters


HOSTILE = "<script>alert(1)</script>\x1b[31m\u202e"


def test_tables_in_a_notebook_are_escaped() -> None:
    table = TextTable(("a", HOSTILE), [(HOSTILE, "1")], title=HOSTILE)
    shown = View([table, HOSTILE])._repr_html_()
    assert "<script" not in shown and shown.count("&lt;script&gt;") == 4
    assert "\x1b" not in shown and "\u202e" not in shown


def test_a_run_of_a_stranger_shows_no_html(tmp_path: Path) -> None:
    folder = simulate(tmp_path / "run", items=4, variants=("base", "lens"), languages=("en", "zh"), tasks=("xcopa",))
    about = folder.read_json("variants.json")
    about["gaps"] = ["<img src=x onerror=alert(1)>"]
    folder.write_json("variants.json", about)
    write_results(folder)
    run = lb.load(folder.path)
    shown = run.table()._repr_html_()
    assert "XCOPA" in shown and "&lt;img src=x" in shown and "<img" not in shown
    first = run._repr_html_()
    assert "Did it help?" in first and "Did English suffer?" in first and "<th>xcopa/zh</th>" in first


def test_a_name_of_a_stranger_is_escaped_in_the_answer() -> None:
    shown = View([Question(HOSTILE, ((HOSTILE, "better"),))])._repr_html_()
    assert "<script" not in shown and shown.count("&lt;script&gt;") == 2 and "\x1b" not in shown and "\u202e" not in shown


def test_a_run_without_numbers_shows_why(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{}")
    assert "! " in lb.Run(tmp_path)._repr_html_()
    with pytest.raises(lb.UsageError, match="no run at"):
        lb.load(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("call", "meant"),
    [
        (lambda: lb.plan_run("smollm2-135m", max_new_tokns=3), "max_new_tokens"),  # type: ignore[call-arg]
        (lambda: lb.plan_run("smollm2-135m", max_usdd=3), "max_usd"),  # type: ignore[call-arg]
        (lambda: lb.fetch("smollm2-135m", langauges=["zh"]), "languages"),  # type: ignore[call-arg]
        (lambda: lb.fit("lens", None, None, textz={}), "texts"),  # type: ignore[arg-type]
        (lambda: _estimate(repeat=2), "repeats"),
    ],
)
def test_a_misspelt_argument_is_refused_with_the_nearest(call: Any, meant: str) -> None:
    with pytest.raises(lb.UsageError, match=f"unknown argument .*\n  Did you mean '{meant}'"):
        call()


def _estimate(**choices: Any) -> Any:
    from lensbench.api.judging import estimate_judging

    return estimate_judging("no-such-run", "local", **choices)

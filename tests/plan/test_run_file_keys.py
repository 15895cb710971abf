"""A run as a file: what is read from it, what is refused and where, and that what a run writes is read back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lensbench as lb
from lensbench.api.requests import run_request
from lensbench.api.run_files import read_run_file, text_of_run
from lensbench.errors import UsageError
from lensbench.plan.plan import make_plan
from lensbench.yamlio import yaml_value

SMALL: dict[str, Any] = {"methods": ["lens"], "data": "embedded", "tasks": ["multiq"]}


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "some.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_keys_are_the_arguments_of_a_call(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        """\
backbone: smollm2-135m
methods: [lens]
variants:
  - mine=lens:epochs=9
  - {name: wide, method: lens, settings: {rank: 1, push_strength: {zh: 0.5}}}
  - {name: other, checkpoint: path/to/model}
sweep: {lens.start_layer: [26, "last:2"]}
seeds: [0, 1]
english: false
limit: 5
max_usd: 2
config: {lens: {epochs: 2}}
""",
    )
    found = read_run_file(path)
    assert {key: found[key] for key in found if key != "variants"} == {
        "backbone": "smollm2-135m",
        "methods": ["lens"],
        "sweep": {"lens.start_layer": [26, "last:2"]},
        "seeds": [0, 1],
        "english": False,
        "limit": 5,
        "max_usd": 2,
        "config": {"lens": {"epochs": 2}},
    }
    made = run_request("x", {"variants": found["variants"]}).variants
    assert made[0] == "mine=lens:epochs=9" and made[2] == "other=path/to/model"
    assert (made[1].name, made[1].method, made[1].settings) == ("wide", "lens", {"rank": 1, "push_strength": {"zh": 0.5}})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("backbone: x\nlanguage: [zh]\n", "some.yaml, line 2: unknown key 'language'; did you mean 'languages'?"),
        ("backbone: x\nlanguages: zh\n", "some.yaml, line 2: languages: Input should be a valid list"),
        ("languages: [zh, no]\n", "some.yaml, line 1: languages.1: Input should be a valid string"),
        ("variants:\n  - {methd: lens}\n", "line 2: unknown key 'methd'; did you mean 'method'?"),
        ("variants:\n  - {name: a}\n", "line 2: variants.0: a variant has either a method or a checkpoint"),
        ("limit: '5'\n", "line 1: limit: Input should be a valid integer"),
        ("\ntrust_tasks: true\n", "some.yaml, line 2: 'trust_tasks' is not read from a file: it lets code of task files run"),
        ("base_url: http://x\n", "it decides who receives your key"),
        ("backbone: x\nformat: 2\nmemori: 3\n", "some.yaml, line 2: 'format' is 2, that of another version"),
        ("format: 2\nmemori: 3\n", "Keys that this version does not know: memori."),
        ("backbone: x\nmemori: 3\n", "line 2: unknown key 'memori'"),
        ("- a\n", "the top level must be a mapping"),
        ("limit: 1\nlimit: 2\n", "line 2"),
        ("config: !function x.y\n", "would run Python code"),
    ],
)
def test_files_that_are_refused(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_run_file(write(tmp_path, text))
    assert says in str(caught.value)


def test_a_name_is_an_experiment_that_ships() -> None:
    assert read_run_file("layers-smollm2")["sweep"] == {"lens.start_layer": list(range(22, 31))}
    with pytest.raises(UsageError, match="Did you mean 'layers-smollm2'"):
        read_run_file("layer-smollm2")
    with pytest.raises(UsageError, match=r"no\.yaml"):
        read_run_file("no.yaml")


def again(tmp_path: Path, **choices: Any) -> tuple[Any, Any]:
    """The spec of a call, and of the file that it writes."""
    request = run_request("smollm2-135m", choices)
    plan = make_plan(request)
    found = read_run_file(write(tmp_path, text_of_run(request, plan, identifier="lid176", max_usd=None)))
    assert found.pop("identifier") == "lid176" and "max_usd" not in found
    return plan.spec, make_plan(run_request(found.pop("backbone"), found)).spec


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"methods": [], "languages": ["zh"], "english": False, "limit": 3},
        {"methods": [lb.Lens(rank=1, push_strength={"zh": 0.5})], "languages": ["zh"]},
        {"methods": [], "variants": {"wide": lb.Lens(start_layer="last:3"), "other": "llama3-8b"}},
        {"variants": ["wide=lens:rank=1,epochs=2", "lens:seed=1"], "overrides": ["wide.epochs=3", "lens.epochs=4"]},
        {"sweep": [{"lens.rank": [1, None]}, {"lens.push_strength": [{"zh": 1e-05}]}], "seeds": [0, 1]},
        {"sweep": ["lens.start_layer=26,last:2"], "seed": 7, "config": {"lens": {"epochs": 2}}, "batch_size": 3},
        {"methods": ["xsft"], "sweep": {"lens.rank": [1]}, "config": {"xsft.preset": "small"}, "languages": ["zh"]},
    ],
)
def test_what_a_run_writes_makes_the_same_run(tmp_path: Path, changes: dict[str, Any]) -> None:
    first, second = again(tmp_path, **{**SMALL, **changes})
    assert first == second and first.digest == second.digest


def test_a_configuration_file_is_written_into_it(tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text("lens: {epochs: 2}\nwide: {epochs: 5}\n")
    given = {**SMALL, "config": str(config), "variants": ["wide=lens:rank=1"], "overrides": ["lens.rank=1"], "languages": ["zh"]}
    given["overrides"] = ["lens.batch_size=4"]
    first, second = again(tmp_path, **given)
    assert first.digest == second.digest and [choice.config["epochs"] for choice in second.variants] == [2, 5]


@settings(max_examples=60, deadline=None)
@given(
    st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=12)
    | st.sampled_from(["1e5", "010", "no", "12:30", "~", "2026-01-01"])
)
def test_texts_stay_texts(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    import yaml

    from lensbench.plan.run_file_text import _Dumper

    assert yaml_value(yaml.dump({"a": [text]}, Dumper=_Dumper, allow_unicode=True), "x") == {"a": [text]}


def test_what_only_a_call_gives_is_said_and_not_written(tmp_path: Path) -> None:
    request = run_request("smollm2-135m", {**SMALL, "trust_tasks": True})
    text = text_of_run(request, make_plan(request), base_url="http://127.0.0.1:1/v1")
    assert "not read from a file: trust_tasks, base_url.\n" in text and "127.0.0.1" not in text
    assert not {"trust_tasks", "base_url"} & set(read_run_file(write(tmp_path, text)))

"""Variants: how they are written, what they are called, and which cannot be in one run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lensbench.errors import UsageError
from lensbench.plan.plan import Plan, make_plan
from lensbench.plan.request import RunRequest, VariantRequest
from lensbench.plan.variant_text import parse_variant
from lensbench.safenames import folder_name, is_safe_name
from lensbench.spec import RunSpec


def plan(*methods: str, variants: tuple[str | VariantRequest, ...] = (), **changes: Any) -> Plan:
    given = {"backbone": "smollm2-135m", "languages": ("zh", "ja"), "tasks": ("multiq",), "data": "embedded", **changes}
    return make_plan(RunRequest(methods=methods, variants=variants, **given))


def names(*methods: str, variants: tuple[str | VariantRequest, ...] = (), **changes: Any) -> list[str]:
    return list(plan(*methods, variants=variants, **changes).spec.variant_names)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("wide=lens:start_layer=25,rank=1", ("wide", "lens", {"start_layer": 25, "rank": 1}, None)),
        ("lens:seed=1", (None, "lens", {"seed": 1}, None)),
        ("mine=lens", ("mine", "lens", {}, None)),
        ("lens:", (None, "lens", {}, None)),
        ("a=lens:push_strength={zh: 0.5, ja: 1},rank=2", ("a", "lens", {"push_strength": {"zh": 0.5, "ja": 1}, "rank": 2}, None)),
        ("lens:push_strength.zh=0.5", (None, "lens", {"push_strength.zh": 0.5}, None)),
        ("lens:start_layer=last:3", (None, "lens", {"start_layer": "last:3"}, None)),
        ("a=sdrrl:translations='a,b=c.tsv'", ("a", "sdrrl", {"translations": "a,b=c.tsv"}, None)),
        ("llama3-8b", ("llama3-8b", None, {}, "llama3-8b")),
        ("mine=org/model", ("mine", None, {}, "org/model")),
        ("mine=./lens", ("mine", None, {}, "./lens")),
        ("mine=./odd:folder=1", ("mine", None, {}, "./odd:folder=1")),
    ],
)
def test_a_line_is_a_method_or_a_checkpoint(text: str, read: tuple[Any, ...]) -> None:
    found = parse_variant(text)
    assert (found.name, found.method, dict(found.settings), found.checkpoint) == read


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("wide=lnes:rank=1", "Did you mean 'lens'?"),
        ("lnes:rank=1", "unknown method 'lnes'"),
        ("lens:rank", "'rank' is no key=value"),
        ("lens:rank=1,rank=2", "'rank' is given twice"),
        ("a b=lens:rank=1", "'a b' cannot name a variant"),
        ("lens:rank=[1", "variants=lens:rank=[1"),
    ],
)
def test_a_line_that_is_neither(text: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_variant(text)
    assert says in str(caught.value)


def test_names_are_made_from_what_differs() -> None:
    strengths = "lens:push_strength={zh: 0.25, ja: 1}"
    written = ("lens:start_layer=29", "lens:seed=1", "lens:seed=2,rank=1", "lens:start_layer=last:3", strengths)
    assert names("lens", variants=written) == [
        "lens",
        "lens[start_layer=29]",
        "lens[seed=1]",
        "lens[rank=1,seed=2]",
        "lens[start_layer=last:3]",
        "lens[push_strength.zh=0.25,push_strength.ja=1.0]",
    ]
    assert names(variants=("lens:preset=official",)) == ["lens[preset=official]"], "not each value that the preset sets"
    assert names(variants=("lens:seed=42,rank=1",)) == ["lens[rank=1]"], "42 is the run's seed anyway"
    assert names(variants=("lens:seed=42",)) == ["lens"]
    assert names(variants=("xsft:seed=3", "llama3-8b")) == ["xsft[seed=3]", "llama3-8b"]


def test_a_variant_may_be_given_as_an_object() -> None:
    asked = VariantRequest(method="lens", settings={"rank": 1, "push_strength": 0.25})
    assert names("lens", variants=(asked,)) == ["lens", "lens[rank=1,push_strength=0.25]"]


def test_settings_lie_over_each_other(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("lens: {epochs: 2, push_strength: {zh: 0.1, ja: 0.2}}\nwide: {epochs: 5, micro_batch: 1}\n")
    found = plan(
        "lens",
        "xsft",
        variants=("wide=lens:push_strength.zh=0.9,epochs=4", "lens:rank=1"),
        config_file=file,
        overrides=("lens.batch_size=4", "wide.batch_size=2", "lens.push_strength.ja=0.3"),
        seed=7,
    ).variants
    lens, wide, other = found["lens"].config, found["wide"].config, found["lens[rank=1]"].config
    assert (lens.epochs, lens.batch_size, lens.push_strength, lens.seed) == (2, 4, {"zh": 0.1, "ja": 0.3}, 7)
    assert (wide.epochs, wide.batch_size, wide.push_strength, wide.micro_batch) == (5, 2, {"zh": 0.9, "ja": 0.3}, 1)
    assert (other.rank, other.batch_size, other.epochs) == (1, 4, 2)
    assert [v.method for v in found.values()] == ["lens", "xsft", "lens", "lens"]


def test_a_value_without_a_name_is_for_all_variants_of_the_only_method() -> None:
    found = plan("lens", variants=("lens:seed=1",), overrides=("epochs=9",)).variants
    assert [v.config.epochs for v in found.values()] == [9, 9]


@pytest.mark.parametrize(
    ("methods", "variants", "says"),
    [
        (("lens", "lens"), (), "method 'lens' is given twice"),
        (("lens",), ("lens:seed=42",), "is the same as 'lens'"),
        (("lens",), ("lens",), "is the same as 'lens'"),
        (("lens",), ("other=lens",), "variants=other=lens is the same as 'lens'"),
        ((), ("a=lens:rank=1", "b=lens:rank=1.0"), "is the same as 'a'"),
        ((), ("a=lens:preset=default", "b=lens"), "is the same as 'a'"),
        ((), ("lens:rank=1,seed=2", "lens:seed=2,rank=1"), "is the same as 'lens[rank=1,seed=2]'"),
        ((), ("a=lens:rank=1", "a=lens:rank=2"), "the run already has a variant 'a'"),
        ((), ("a=lens:rank=1", "a=llama3-8b"), "the run already has a variant 'a'"),
        ((), ("lens-rank-1=lens:rank=2", "lens:rank=1"), "the run already has a variant 'lens-rank-1'"),
        ((), ("base=lens",), "the run already has a variant 'base'"),
        ((), ("xsft=lens",), "'xsft' is the name of another method"),
        ((), ("lens:rnak=1",), "did you mean 'rank'"),
        ((), ("wide=lens:rnak=1",), "variant 'wide': "),
        ((), ("lens:rank=9",), "rank 9 is out of range"),
        ((), (f"xsft:preset=small,template={'x' * 300}",), "unknown key 'template'"),
    ],
)
def test_variants_that_cannot_be(methods: tuple[str, ...], variants: tuple[str, ...], says: str) -> None:
    with pytest.raises(UsageError) as caught:
        plan(*methods, variants=variants)
    assert says in str(caught.value)


def test_a_key_is_about_a_method_or_a_variant_that_is_there() -> None:
    with pytest.raises(UsageError, match="which method"):
        plan("lens", "xsft", variants=("wide=lens:rank=1",), overrides=("narrow.rank=1",))
    with pytest.raises(UsageError, match="unknown key 'narrow'"):
        plan("lens", variants=("wide=lens:rank=1",), overrides=("narrow.rank=1",))


def test_folders_have_plain_names() -> None:
    made = names("lens", variants=("lens:start_layer=last:3,push_strength=0.25", "lens:push_strength={zh: 1, ja: 2}"))
    assert [folder_name(name) for name in made] == [
        "lens",
        "lens-start_layer-last-3-push_strength-0.25",
        "lens-push_strength.zh-1.0-push_strength.ja-2.0",
    ]
    for name in ("lens", "mine+1", "a[b", "a]b", "Meta Llama 3, 8B"):
        assert folder_name(name) == name
    assert not is_safe_name(folder_name("../x[seed=1]")) and is_safe_name(folder_name("x[a=../../b]"))


def test_a_plain_run_is_written_down_as_before() -> None:
    """Folder names hold a hash of this, so that the same command goes on with the run that an earlier version began."""
    spec = plan("lens", languages=("zh",)).spec
    written = spec.model_dump(mode="json")
    (entry,) = written["methods"]
    assert set(entry) == {"method", "config"} and entry["method"] == "lens" and "variants" not in written
    assert list(written)[:4] == ["lensbench", "methods", "externals", "backbone"]
    again = RunSpec.model_validate(json.loads(json.dumps(written)))
    assert again == spec and again.digest == spec.digest and again.variants[0].name == "lens" and again.variants[0].seed == 42


def test_a_run_of_several_is_read_again() -> None:
    spec = plan("lens", variants=("lens:seed=1",)).spec
    written = spec.model_dump(mode="json")
    assert [entry.get("name") for entry in written["methods"]] == [None, "lens[seed=1]"]
    again = RunSpec.model_validate(json.loads(json.dumps(written)))
    assert again == spec and [(v.name, v.seed) for v in again.variants] == [("lens", 42), ("lens[seed=1]", 1)]
    assert spec.digest != plan("lens", variants=("lens:seed=2",)).spec.digest

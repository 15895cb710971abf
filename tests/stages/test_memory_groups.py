"""Variants in groups within a memory budget: the same records as all at once, and little in memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lensbench.backbones.lazy import LazyBackbone
from lensbench.backbones.load import LoadedBackbone
from lensbench.errors import UsageError
from lensbench.methods.delta import Delta
from lensbench.records import AnswerRecord, RunFolder, ScoreRecord
from lensbench.sizes import parse_size
from lensbench.spec import BASE
from lensbench.stages.memory_groups import bytes_of_variant, groups_within, release_all
from lensbench.stages.stored import StoredEnhancement
from lensbench.stages.variants import Variant


def stored(loaded: LoadedBackbone, seed: int, start: int = 3, nbytes: int = 1000) -> StoredEnhancement:
    def read() -> Delta:
        name = f"model.layers.{start}.mlp.up_proj.weight"
        return Delta("lens", "tiny", "", start, {name: dict(loaded.model.named_parameters())[name].detach() + seed})

    return StoredEnhancement(read, nbytes)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(sizes=st.lists(st.integers(0, 50), max_size=12), room=st.integers(1, 100))
def test_groups_hold_all_in_order_and_no_more_than_fits(tiny: LoadedBackbone, sizes: list[int], room: int) -> None:
    model = LazyBackbone.holding(tiny)
    own = bytes_of_variant(model, Variant("v", stored(tiny, 1, nbytes=0)))
    variants = [Variant(BASE), *(Variant(f"v{n}", stored(tiny, n, nbytes=size)) for n, size in enumerate(sizes))]
    said: list[str] = []
    groups = groups_within(model, variants, own * 3 + room, said.append)
    assert [v.name for group in groups for v in group] == [v.name for v in variants]
    for group in groups:
        needs = sum(bytes_of_variant(model, v) for v in group)
        assert needs <= own * 3 + room or sum(v.name != BASE for v in group) == 1
    assert len(said) == (len(groups) > 1)
    assert not sizes or len(groups[0]) > 1, "the backbone goes with others"


def test_what_is_applied_is_read_then_and_released(tiny: LoadedBackbone) -> None:
    reads = []

    def read() -> Delta:
        reads.append(1)
        return Delta("lens", "tiny", "", 3, {"model.norm.weight": tiny.final_norm.weight.detach() * 2})

    enhancement = StoredEnhancement(read, 10)
    assert reads == [1] and not enhancement.is_held and enhancement.first_changed_layer == 3
    before = tiny.final_norm.weight.detach().clone()
    for _ in range(2):
        with enhancement.applied(tiny, "zh"):
            assert (tiny.final_norm.weight == before * 2).all()
    assert len(reads) == 2 and enhancement.is_held
    release_all([Variant(BASE), Variant("v", enhancement)])
    assert not enhancement.is_held


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("8GiB", 8 * 2**30),
        ("500 MB", 500 * 10**6),
        ("1.5kib", 1536),
        ("12", 12),
        (7, 7),
        ("3k", 3000),
        (" 2 tib ", 2**41),
        ("7B", 7),
    ],
)
def test_sizes(text: str | int, size: int) -> None:
    assert parse_size(text, "memory") == size


@pytest.mark.parametrize("text", ["", "GiB", "-1", "8 gigs", "1e3", "nan", True, -5, None])
def test_what_is_no_size(text: Any) -> None:
    with pytest.raises(UsageError, match="no size"):
        parse_size(text, "memory")


def records_of(folder: Path) -> dict[tuple[Any, ...], Any]:
    run = RunFolder(folder)
    scores = {(r.variant, r.item): r.loglikelihoods for r in run.records(ScoreRecord)}
    return {**scores, **{(r.variant, r.item, r.turn): r.text for r in run.records(AnswerRecord)}}


def test_a_run_in_groups_has_the_records_of_one_at_once(cli: Callable[..., Any], tiny_model_dir: Path, tmp_path: Path) -> None:
    common = ["run", "--method", "lens", "--backbone", tiny_model_dir, "--data", "embedded", "--tasks", "xcopa,multiq"]
    common += ["--limit", "3", "--set", "n_probe=8", "--set", "n_parallel=16", "--set", "warmup_ratio=0", "--max-new-tokens", "4"]
    common += ["--sweep", "lens.push_strength=0.1,0.5,1,2,4", "--set", "lens.learning_rate=0.001"]
    for name, more in (("all", []), ("groups", ["--memory", "40KB"])):
        done = cli(*common, *more, "--out", tmp_path / name)
        assert done.returncode == 0, done.stderr
        assert ("groups" in done.stderr) == (name == "groups"), done.stderr
    one, other = (records_of(tmp_path / name) for name in ("all", "groups"))
    assert one == other and len({variant for variant, *_ in one}) == 6 and {len(key) for key in one} == {2, 3}
    refused = cli(*common, "--memory", "much")
    assert refused.returncode == 2 and "--memory is 'much', which is no size" in refused.stderr

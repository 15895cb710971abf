"""The vLLM engine with vLLM itself, where it is installed and has a device: the only test that the double cannot replace."""

from __future__ import annotations

import dataclasses
import inspect
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import vllm_double
from conftest import save_tiny_model
from vllm_help import answers, requests

from lensbench.backbones import get_backbone
from lensbench.backbones.load import load_backbone
from lensbench.backbones.resolve import find_checkpoint
from lensbench.engines.generation.generate import generate_reference
from lensbench.engines.reference.lm import LensLM
from lensbench.engines.vllm.package import find_vllm
from lensbench.engines.vllm.process import running
from lensbench.engines.vllm.session import VllmSession

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def vllm() -> Any:
    pytest.importorskip("vllm", reason="vLLM is not installed")
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    return find_vllm("cuda")


@pytest.mark.parametrize("name", ["SamplingParams", "RequestOutput", "CompletionOutput", "Logprob"])
def test_the_double_has_no_field_that_vllm_has_not(vllm: Any, name: str) -> None:
    from vllm.logprobs import Logprob

    real = Logprob if name == "Logprob" else getattr(vllm, name)
    own = {field.name for field in dataclasses.fields(getattr(vllm_double, name))}
    assert own <= set(inspect.signature(real).parameters)


def test_the_double_takes_no_argument_that_vllm_does_not(vllm: Any) -> None:
    engine = set(inspect.signature(vllm.EngineArgs).parameters)
    assert engine >= vllm_double.ENGINE_ARGS
    for method in ("__init__", "generate"):
        own = set(inspect.signature(getattr(vllm_double._LLM, method)).parameters) - {"double", "kwargs"}
        assert own <= set(inspect.signature(getattr(vllm.LLM, method)).parameters)


def test_scores_and_answers_equal_the_reference(vllm: Any, tmp_path: Path) -> None:
    folder = save_tiny_model(tmp_path / "model", hidden=256)
    backbone = get_backbone(str(folder))
    loaded = load_backbone(backbone, find_checkpoint(backbone), device="cuda", dtype="float32")
    lm = LensLM(loaded)
    start = partial(running, vllm, folder, dtype="float32", window=1024, trust=False)
    expected = lm.score_tokens(requests(lm))
    slow = [generate_reference(loaded, request.prompt, request.max_new_tokens) for request in answers(loaded)]
    loaded.model.to("cpu")
    torch.cuda.empty_cache()
    with VllmSession(loaded, vllm, start, window=1024) as held:
        found = held.score_tokens(requests(lm))
        fast = held.answer(answers(loaded))
    assert [ll for ll, _ in found] == pytest.approx([ll for ll, _ in expected], abs=1e-2)
    assert [(a.tokens, a.finish) for a in fast] == [(a.tokens, a.finish) for a in slow]
    assert [a.text[:8] for a in fast] == [a.text[:8] for a in slow], "further on, rounding may choose another token"

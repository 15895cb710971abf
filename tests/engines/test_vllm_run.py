"""`--engine vllm` through the stages: variants merged and asked one after the other, through a double of vLLM's interface."""

from __future__ import annotations

import gc
import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from conftest import save_tiny_model
from tree_stage import engine_over
from vllm_double import Vllm

from lensbench.backbones.load import LoadedBackbone
from lensbench.engines.chat import chat_renderer
from lensbench.engines.encoding import RequestEncoder
from lensbench.engines.vllm.package import find_vllm
from lensbench.errors import LensbenchError, RunError, UnavailableError, UsageError
from lensbench.executors.ranks import ALONE
from lensbench.methods.base import SilentProgress
from lensbench.methods.delta import Delta
from lensbench.methods.incline import Alignment, Intervention
from lensbench.plan.plan import Plan, make_plan
from lensbench.plan.request import RunRequest
from lensbench.plan.task_items import TaskItems, load_rows, render_items
from lensbench.records import RunFolder, ScoreRecord
from lensbench.records.log import read_objects
from lensbench.spec import BASE
from lensbench.stages import score
from lensbench.stages.answer import answer_stage
from lensbench.stages.evaluate import Evaluation
from lensbench.stages.longest_input import longest_input
from lensbench.stages.run import run
from lensbench.stages.score import score_stage
from lensbench.stages.variants import Variant
from lensbench.tasks.build import Item


@pytest.fixture
def double(monkeypatch: pytest.MonkeyPatch) -> Vllm:
    found = Vllm()
    monkeypatch.setitem(sys.modules, "vllm", found)
    monkeypatch.setitem(sys.modules, "vllm.platforms", found.platforms)
    return found


def plan_of(model: Path, *, profile: str = "lm-eval", **more: Any) -> Plan:
    return make_plan(
        RunRequest(
            str(model),
            tasks=("xcopa", "multiq"),
            profile=profile,
            data="embedded",
            limit=3,
            max_new_tokens=6,
            engine="vllm",
            dtype="float32",
            seed=1,
            batch_size=4,
            **more,
        )
    )


def asked(loaded: LoadedBackbone, model: Path, profile: str = "lm-eval") -> tuple[list[TaskItems], list[TaskItems]]:
    plan = plan_of(model, profile=profile)
    tasks = render_items(plan, load_rows(plan, {}), chat_renderer(loaded.tokenizer, loaded.backbone.system_text))
    opened = [task for task in tasks if task.planned.task.profile.generates]
    return [task for task in tasks if task not in opened], opened


def variants(loaded: LoadedBackbone) -> list[Variant]:
    """The backbone, a change of the last block, and an intervention."""
    random = torch.Generator().manual_seed(0)
    changed = {n: p.detach() + 0.2 * torch.randn(p.shape, generator=random) for n, p in loaded.model.named_parameters()}
    last = {name: tensor for name, tensor in changed.items() if "layers.3." in name}
    maps = {"zh": {2: Alignment(torch.eye(32), torch.randn(32, 32, generator=random))}}
    steered = Intervention("tiny", "", "en", "hidden", "running", {"zh": 0.5}, maps)
    return [Variant(BASE), Variant("lens", Delta("lens", "tiny", "", 3, last)), Variant("incline", steered)]


def by_vllm(loaded: LoadedBackbone, model: Path, path: Path, profile: str = "lm-eval") -> list[str]:
    """As a run asks; the weights are loaded again whenever something needs them."""
    progress = SilentProgress()
    plan = plan_of(model, profile=profile)
    folder = RunFolder(path)
    evaluation = Evaluation(plan, folder, load_rows(plan, {}), "cpu", progress, ALONE)
    backbone = evaluation.open(loaded.backbone, loaded.checkpoint)
    evaluation.ask(backbone, variants(loaded), evaluation.render(backbone))
    assert not backbone.is_loaded
    return progress.notes


def by_ourselves(loaded: LoadedBackbone, model: Path, path: Path, profile: str = "lm-eval") -> None:
    closed, opened = asked(loaded, model, profile)
    folder, engine = RunFolder(path), engine_over(loaded, "reference", 4)
    with folder.log("score") as log:
        score_stage(engine, variants(loaded), closed, log, SilentProgress())
    with folder.log("answers") as log:
        answer_stage(engine, variants(loaded), opened, folder, log, SilentProgress(), seed=1)


def records(path: Path, stage: str) -> dict[str, dict[str, Any]]:
    return {record["key"]: record for _, record in read_objects(RunFolder(path).log_path(stage))}


def same(path: Path, other: Path) -> None:
    """All records alike, up to the last bits of log-likelihoods and what they decide."""
    found, expected = records(path, "score"), records(other, "score")
    assert found.keys() == expected.keys() and found
    for key, record in found.items():
        assert record["loglikelihoods"] == pytest.approx(expected[key]["loglikelihoods"], abs=2e-5, rel=1e-6)
        apart = {"loglikelihoods", "tied", *(["metrics"] if record["tied"] else [])}
        assert {k: v for k, v in record.items() if k not in apart} == {k: v for k, v in expected[key].items() if k not in apart}
    answers, wanted = records(path, "answers"), records(other, "answers")
    greedy = {key for key, record in answers.items() if record["temperature"] == 0}
    assert answers.keys() == wanted.keys() and greedy
    for key in greedy:
        ours = {k: v for k, v in wanted[key].items() if k != "seconds"}
        assert {k: v for k, v in answers[key].items() if k != "seconds"} == ours


@pytest.mark.parametrize("profile", ["lm-eval", "lens-paper"])
def test_records_are_those_of_the_reference(
    tiny: LoadedBackbone, tiny_model_dir: Path, double: Vllm, tmp_path: Path, profile: str
) -> None:
    notes = by_vllm(tiny, tiny_model_dir, tmp_path / "fast", profile)
    assert double.events == [
        (event, str(folder)) for folder in (tiny_model_dir, tmp_path / "fast" / "merged") for event in ("start", "end")
    ]
    assert not (tmp_path / "fast" / "merged").exists()
    by_ourselves(tiny, tiny_model_dir, tmp_path / "slow", profile)
    same(tmp_path / "fast", tmp_path / "slow")
    variants_scored = {record["variant"] for record in records(tmp_path / "fast", "score").values()}
    assert variants_scored == {"base", "lens", "incline"}
    assert [note for note in notes if "incline" in note] == [
        f"the reference engine {does} incline: it cannot be merged" for does in ("scores", "answers")
    ]
    assert sum("lens is merged for vLLM: 0.00 GiB" in note and "removed afterwards" in note for note in notes) == 1


def test_the_model_in_transformers_is_not_in_memory_while_vllm_runs(
    tiny: LoadedBackbone, tiny_model_dir: Path, double: Vllm, tmp_path: Path
) -> None:
    def alive() -> int:
        gc.collect()
        return sum(isinstance(thing, type(tiny.model)) for thing in gc.get_objects())

    before, found = alive(), []
    real = double.LLM

    class Counting(real):  # type: ignore[valid-type, misc]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            found.append(alive())
            super().__init__(*args, **kwargs)

    double.LLM = Counting
    by_vllm(tiny, tiny_model_dir, tmp_path)
    assert found == [before, before] and alive() == before


def test_a_run_that_goes_on_asks_only_what_is_missing(
    tiny: LoadedBackbone, tiny_model_dir: Path, double: Vllm, tmp_path: Path
) -> None:
    by_vllm(tiny, tiny_model_dir, tmp_path)
    whole = records(tmp_path, "score"), records(tmp_path, "answers")
    double.events.clear()
    by_vllm(tiny, tiny_model_dir, tmp_path)
    assert double.events == []
    path = tmp_path / "items" / "answers.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if json.loads(line)["variant"] != "lens"))
    by_vllm(tiny, tiny_model_dir, tmp_path)
    assert [event for event, _ in double.events] == ["start", "end"]
    again = records(tmp_path, "answers")
    assert records(tmp_path, "score") == whole[0] and again.keys() == whole[1].keys()
    assert {key: record["text"] for key, record in again.items()} == {key: record["text"] for key, record in whole[1].items()}


def test_a_failure_leaves_nothing_behind(tiny: LoadedBackbone, tiny_model_dir: Path, double: Vllm, tmp_path: Path) -> None:
    (tmp_path / "merged").mkdir()
    (tmp_path / "merged" / "left").write_text("by a run that was killed")
    real, weights = double.LLM, {n: p.detach().clone() for n, p in tiny.model.named_parameters()}

    class Full(real):  # type: ignore[valid-type, misc]
        def __init__(self, model: str, **kwargs: Any) -> None:
            super().__init__(model, **kwargs)
            assert sorted(Path(model).glob("*.safetensors")) and not (Path(model) / "left").exists()
            if "merged" in model:
                double.failure = torch.OutOfMemoryError("CUDA out of memory.")

    double.LLM = Full
    with pytest.raises(RunError, match="vLLM stopped: OutOfMemoryError: CUDA out of memory"):
        by_vllm(tiny, tiny_model_dir, tmp_path)
    assert not (tmp_path / "merged").exists() and [event for event, _ in double.events] == ["start", "end"] * 2
    assert {record["variant"] for record in records(tmp_path, "score").values()} == {"base"}
    assert all(torch.equal(weights[name], parameter) for name, parameter in tiny.model.named_parameters())
    double.failure, double.LLM = None, real
    by_vllm(tiny, tiny_model_dir, tmp_path)
    by_ourselves(tiny, tiny_model_dir, tmp_path / "slow")
    same(tmp_path, tmp_path / "slow")


def test_a_model_that_vllm_reads_otherwise_is_left_to_the_reference(
    tiny: LoadedBackbone, tiny_model_dir: Path, double: Vllm, tmp_path: Path
) -> None:
    double.shift = 0.1
    notes = by_vllm(tiny, tiny_model_dir, tmp_path / "fast")
    assert [note.partition(":")[0] for note in notes if "off on this model" in note] == [
        f"the reference engine {does} {name}" for name in ("base", "lens") for does in ("scores", "answers")
    ]
    by_ourselves(tiny, tiny_model_dir, tmp_path / "slow")
    assert records(tmp_path / "fast", "score") == records(tmp_path / "slow", "score")


def test_each_variant_has_its_own_noise(
    tiny: LoadedBackbone, tiny_model_dir: Path, double: Vllm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The noise is what vLLM is off on one item of each task and language, and none where the reference scores."""
    noises: dict[str, set[float]] = {}
    real = score.score_record

    def spy(asked: TaskItems, item: Item, variant: Variant, *rest: Any) -> ScoreRecord:
        noises.setdefault(variant.name, set()).add(rest[-1])
        return real(asked, item, variant, *rest)

    monkeypatch.setattr(score, "score_record", spy)
    double.shift = 1e-4
    by_vllm(tiny, tiny_model_dir, tmp_path)
    closed, _ = asked(tiny, tiny_model_dir)
    lm, longest = RequestEncoder.of(tiny), 0
    for task in closed:
        by_length = sorted(task.items, key=lambda item: max(len(c) + len(t) for c, t in item.requests))
        longest = max(longest, *(len(lm.token_request(*request)[2]) for request in by_length[len(by_length) // 2].requests))
    for name in ("base", "lens"):
        assert [*noises[name]] == [pytest.approx(1e-4 * longest, rel=0.05)]
    assert noises["incline"] == {0.0}


def test_the_window_is_what_the_longest_input_needs(tiny: LoadedBackbone, tiny_model_dir: Path, double: Vllm) -> None:
    closed, opened = asked(tiny, tiny_model_dir)

    def window() -> int:
        encoder = RequestEncoder.of(tiny)
        longest = lambda: longest_input(encoder, tiny.tokenizer, [*closed, *opened])  # noqa: E731
        return engine_over(tiny, "vllm", longest_input=longest).window

    assert window() == 1024, "the model's own"
    tiny.model.config.max_position_embeddings = 131072
    assert window() == 4096
    opened[0].planned.task.generation.__dict__["max_new_tokens"] = 5000
    assert window() == 8192


def test_a_whole_run_with_another_checkpoint(tiny_model_dir: Path, double: Vllm, tmp_path: Path) -> None:
    other = save_tiny_model(tmp_path / "other", layers=3, hidden=48, seed=7)
    out = tmp_path / "run"
    plan = plan_of(tiny_model_dir, variants=(f"theirs={other}",), languages=("zh",))
    cells = run(plan, out, SilentProgress())
    assert {cell.variant for cell in cells} == {"base", "theirs"}
    assert [model for event, model in double.events if event == "start"] == [str(tiny_model_dir), str(other)]
    assert json.loads((out / "run.json").read_text())["spec"]["engine"] == "vllm"
    slow = make_plan(
        RunRequest(
            str(tiny_model_dir),
            dtype="float32",
            seed=1,
            batch_size=4,
            tasks=("xcopa", "multiq"),
            profile="lm-eval",
            data="embedded",
            limit=3,
            max_new_tokens=6,
            variants=(f"theirs={other}",),
            engine="reference",
        )
    )
    with pytest.raises(UsageError, match="engine: 'vllm' there, 'reference' here"):
        run(slow, out, SilentProgress())
    run(slow, tmp_path / "slow", SilentProgress())
    same(out, tmp_path / "slow")


@pytest.mark.skipif(importlib.util.find_spec("vllm") is not None, reason="vLLM is installed here")
def test_without_the_package_nothing_is_begun(cli: Callable[..., Any], tiny_model_dir: Path, tmp_path: Path) -> None:
    done = cli("run", "-b", tiny_model_dir, "--engine", "vllm", "--data", "embedded", "--out", tmp_path / "run")
    assert done.returncode == 1 and not (tmp_path / "run").exists()
    assert "--engine vllm needs the package 'vllm', which is not installed" in done.stderr
    assert "pip install 'lensbench[engines,vllm]'" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("platform", "device", "kind", "words"),
    [
        ("", "cpu", UnavailableError, "vLLM 0.33.0 finds no device it can use on this machine"),
        ("cuda", "cpu", UsageError, "runs on 'cuda' here, the run on 'cpu'"),
        ("cpu", "cuda", UsageError, "runs on 'cpu' here, the run on 'cuda'"),
        ("cuda", "cuda:1", UsageError, "CUDA_VISIBLE_DEVICES=1"),
    ],
)
def test_what_is_wrong_with_the_device(double: Vllm, platform: str, device: str, kind: type[LensbenchError], words: str) -> None:
    double.place(platform)
    with pytest.raises(kind) as raised:
        find_vllm(device)
    assert words in str(raised.value)


@pytest.mark.parametrize("device", ["cuda", "cuda:0"])
def test_the_first_device_is_fine(double: Vllm, device: str) -> None:
    double.place("cuda")
    assert find_vllm(device) is double


@pytest.mark.parametrize(
    "error",
    [
        ImportError("libcudart.so.13: cannot open shared object file"),
        ModuleNotFoundError("No module named 'x'", name="x"),
        RuntimeError("NVML\nmore"),
    ],
)
def test_a_package_that_cannot_be_imported_is_said(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    class Broken(ModuleType):
        __version__ = "0.33.0"

        def __getattr__(self, name: str) -> Any:
            raise error

    monkeypatch.setitem(sys.modules, "vllm", Broken("vllm"))
    with pytest.raises(UnavailableError, match="installed but cannot be imported") as raised:
        find_vllm("cpu")
    assert str(error).splitlines()[0] in raised.value.message and "more" not in raised.value.message

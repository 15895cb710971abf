"""Fixtures: tiny random models with a byte tokenizer, the real data folder, and the command line as a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from late_imports import bind, imports_put_off
from warm import Warm

# What was compiled is kept, asserts as pytest rewrites them too, even where the environment says otherwise: hundreds of processes
# would compile the package anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# Side by side, pytest tells its processes how wide the terminal is; commands that are tested take it for their own.
os.environ.pop("COLUMNS", None)

# Runs of one test would take over what those of another have computed, and those of a user.
os.environ["LENSBENCH_CACHE_SIZE"] = "0"

if "PYTEST_XDIST_WORKER" in os.environ:
    # Side by side, processes that each take every core wait for each other; read when torch is imported, here and in commands.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

CHAT_TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}<{{ m['role'] }}>{{ m['content'] | trim }}<end>{% endfor %}"
    "{% if add_generation_prompt %}<assistant>\n{% endif %}"
)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    with imports_put_off(Path(__file__).parent):
        return (yield)


_LONG = (
    "whole/test_faults.py",
    "whole/test_end_to_end.py",
    "whole/test_docs_commands.py",
    "executors/test_data_parallel.py",
    "whole/test_hub_runs.py",
    "methods/test_sdrrl.py",
    "methods/test_delta_check.py",
    "whole/test_plugins.py",
    "backbones/test_gguf.py",
    "whole/test_installed_only.py",
    "stages/test_reuse.py",
    "stages/test_conversations.py",
    "stages/test_states.py",
    "engines/test_vllm_run.py",
    "methods/test_adapter.py",
    "methods/test_incline.py",
    "interop/test_lm_eval_beside.py",
)
"""Files of few and long tests. Where files are dealt out to several processes these are dealt first, so that all end together."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    folder = Path(__file__).parent
    rank = {folder / name: place for place, name in enumerate(_LONG)}
    items.sort(key=lambda item: rank.get(item.path, len(rank)))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    if isinstance(item, pytest.Function):
        bind(item.module)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real release files. A user's machine does not have it; CI must."""
    named = os.environ.get("LENSBENCH_REAL_DATA")
    if named and Path(named).is_dir():
        return Path(named)
    if os.environ.get("LENSBENCH_REQUIRE_REAL_DATA"):
        pytest.fail("LENSBENCH_REQUIRE_REAL_DATA is set and LENSBENCH_REAL_DATA names no folder")
    pytest.skip("LENSBENCH_REAL_DATA names no folder of real release files")


@pytest.fixture(scope="session")
def imported(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real release files as a data folder."""
    from lensbench.datasets.importing import import_folder

    target = tmp_path_factory.mktemp("imported")
    import_folder(real_data, target)
    return target


def save_tiny_model(folder: Path, *, layers: int = 4, hidden: int = 32, seed: int = 0, kind: str = "llama") -> Path:
    """A random model with a byte tokenizer and a chat template, as `from_pretrained` reads it."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

    specials = ["<s>", "</s>", "<pad>"]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = {token: index for index, token in enumerate([*specials, *alphabet])}
    raw = Tokenizer(models.BPE(vocab=vocab, merges=[]))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    raw.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=raw, bos_token="<s>", eos_token="</s>", pad_token="<pad>")
    tokenizer.chat_template = CHAT_TEMPLATE
    torch.manual_seed(seed)
    config = AutoConfig.for_model(
        kind,
        vocab_size=len(vocab),
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=hidden // 4,
        max_position_embeddings=1024,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=2,
        tie_word_embeddings=False,
    )
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    # Random weights this small give almost equal logits everywhere; larger ones make answers differ.
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.mul_(4.0)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_model(tmp_path_factory.mktemp("models") / "tiny-llama")


@pytest.fixture
def tiny(tiny_model_dir: Path):
    """A tiny backbone in memory, fresh for every test; LENSBENCH_TEST_DEVICE puts it on an accelerator."""
    from lensbench.backbones import get_backbone
    from lensbench.backbones.load import load_backbone
    from lensbench.backbones.resolve import find_checkpoint

    backbone = get_backbone(str(tiny_model_dir))
    device = os.environ.get("LENSBENCH_TEST_DEVICE", "cpu")
    return load_backbone(backbone, find_checkpoint(backbone), device=device, dtype="float32")


Cli = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def warm() -> Iterator[Warm | None]:
    """Where processes are forked from; None where each has to be started from nothing."""
    if sys.platform != "linux" or os.environ.get("LENSBENCH_TEST_COLD"):
        yield None
        return
    warm = Warm()
    yield warm
    warm.close()
    if warm.refused:
        # A library that leaves a variable in this process makes every later call several times as long.
        names = ", ".join(f"{name} ({count})" for name, count in warm.refused.most_common())
        warnings.warn(f"processes started from nothing because of {names}", stacklevel=1)


@pytest.fixture(scope="session")
def cli(warm: Warm | None) -> Cli:
    """Run `lensbench ARGS` in a process of its own; returns its exit code, stdout and stderr."""

    def call(*args: str | Path, cwd: Path | None = None, timeout: float = 300, env: dict[str, str] | None = None):
        environment = {**os.environ, "HF_HUB_OFFLINE": "1", **(env or {})}
        environment.pop("LENSBENCH_DATA", None)
        words = [*map(str, args)]
        if warm is not None and warm.can_run(environment):
            return warm.run(words, cwd, environment, timeout)
        command = [sys.executable, "-m", "lensbench", *words]
        return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=timeout, env=environment)

    return call


Here = Callable[..., tuple[int, str]]


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Here]:
    """Run `lensbench ARGS` in this process, for tests of many commands; returns its exit code and all that it printed."""
    from lensbench.cli import main

    handler = signal.getsignal(signal.SIGTERM)

    def call(*words: str | Path) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["lensbench", *map(str, words)])
        capsys.readouterr()
        try:
            main()
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 0
        said = capsys.readouterr()
        return code, said.out + said.err

    yield call
    signal.signal(signal.SIGTERM, handler)

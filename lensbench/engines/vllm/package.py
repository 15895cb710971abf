"""Check whether the package vLLM can be used, before anything is loaded or fitted."""

from __future__ import annotations

import importlib
import os
from typing import Any

from lensbench.errors import UnavailableError, UsageError

__all__ = ["find_vllm", "first_line"]

_SETTINGS = {
    # Standard output is the table's, or the JSON's.
    "VLLM_LOGGING_STREAM": "ext://sys.stderr",
    "VLLM_LOGGING_LEVEL": "WARNING",
    # vLLM tells its makers of every start unless it is asked not to.
    "VLLM_NO_USAGE_STATS": "1",
}


def find_vllm(device: str) -> Any:
    """The module `vllm`, imported.

    Args:
        device: "cpu", "cuda" or "cuda:0": where the run's own model is.

    Raises:
        UnavailableError: not installed, cannot be imported, or finds no device on this machine.
        UsageError: vLLM would run elsewhere than the run was told to.
    """
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    try:
        vllm = importlib.import_module("vllm")
        # vLLM imports its parts when they are first asked for; what is wrong with them should be known now.
        for part in ("LLM", "SamplingParams", "TokensPrompt"):
            getattr(vllm, part)
        platform = importlib.import_module("vllm.platforms").current_platform
    except ModuleNotFoundError as error:
        if error.name != "vllm":
            raise _broken(error) from None
        raise UnavailableError(
            "``engine=vllm`` needs the package 'vllm', which is not installed",
            "pip install 'lensbench[engines,vllm]', in a separate environment: vLLM needs its own torch and transformers.",
        ) from None
    except (ImportError, AttributeError, OSError, RuntimeError, ValueError) as error:
        raise _broken(error) from None
    if platform.is_unspecified():
        raise UnavailableError(
            f"``engine=vllm``: vLLM {vllm.__version__} finds no device it can use on this machine",
            "It needs an accelerator with its driver, or a build of vLLM for the CPU. ``engine=tree`` runs anywhere.",
        )
    kind, _, index = device.partition(":")
    if kind != platform.device_type:
        raise UsageError(
            f"``engine=vllm`` runs on '{platform.device_type}' here, the run on '{device}'", "Leave ``device`` out, or change it."
        )
    if index not in ("", "0"):
        raise UsageError(
            f"``engine=vllm`` runs on the first device, the run on '{device}'",
            f"Make that one the first: CUDA_VISIBLE_DEVICES={index}, without ``device``.",
        )
    return vllm


def first_line(error: BaseException) -> str:
    """Type and first line of another package's error."""
    text = str(error).strip()
    return f"{type(error).__name__}: {text.splitlines()[0][:300]}" if text else type(error).__name__


def _broken(error: Exception) -> UnavailableError:
    return UnavailableError(
        f"``engine=vllm``: the package 'vllm' is installed but cannot be imported ({first_line(error)})",
        "vLLM works with one version of torch and few versions of transformers. Run pip check.",
    )

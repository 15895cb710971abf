"""The engines that can be named, without importing any of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lensbench.errors import UnavailableError, unknown_name
from lensbench.plugins import OURS, BrokenPlugin, load_entry, plugin_entries, plugin_info, target_of, try_entry

if TYPE_CHECKING:
    from lensbench.backbones.lazy import LazyBackbone
    from lensbench.engines.base import BaseEngine
    from lensbench.engines.protocol import EngineSettings

__all__ = [
    "DEFAULT",
    "GROUP",
    "EngineInfo",
    "check_engine",
    "engine_label",
    "engine_names",
    "engines",
    "get_engine",
    "open_engine",
    "open_reference",
    "rank_engines",
]


@dataclass(frozen=True)
class EngineInfo:
    """Description of an engine for `lensbench ls engines`.

    Attributes:
        packages: What it needs beside the core, by the names that pip knows.
        extra: What to install for them: `lensbench[EXTRA]`, or the plugin's own name.
        options: Options of `lensbench run` that matter to it.
        divides_work: Whether several ranks can share its work (`data_parallel`).
        one_variant_at_a_time: Whether it holds one variant. Everything is then asked of one variant before the next.
        target: `module:attribute` of its class, a `lensbench.engines.base.BaseEngine`.
        origin: The package it comes from.
    """

    name: str
    title: str
    packages: tuple[str, ...]
    extra: str
    options: tuple[str, ...]
    divides_work: bool
    one_variant_at_a_time: bool
    target: str
    origin: str = OURS


GROUP = "lensbench.engines"
"""Entry points of this group name an EngineInfo each, under the engine's name."""

_REFERENCE = "reference"
"""Scores what another engine cannot."""
DEFAULT = "tree"

_BUILT_IN = (
    EngineInfo(
        name=DEFAULT,
        title="reads each distinct token once, and once for all variants that share the blocks it passes through",
        packages=("torch", "transformers", "lm_eval"),
        extra="lensbench[engines]",
        options=("batch-size", "data-parallel", "device", "dtype"),
        divides_work=True,
        one_variant_at_a_time=False,
        target="lensbench.engines.tree.engine:TreeEngine",
    ),
    EngineInfo(
        name=_REFERENCE,
        title="one sequence per distinct input, one variant after the other, by the model's own forward pass",
        packages=("torch", "transformers", "lm_eval"),
        extra="lensbench[engines]",
        options=("batch-size", "data-parallel", "device", "dtype"),
        divides_work=True,
        one_variant_at_a_time=False,
        target="lensbench.engines.reference.engine:ReferenceEngine",
    ),
    EngineInfo(
        name="vllm",
        title="vLLM scores and answers, one variant after the other, each merged into a model folder",
        packages=("vllm",),
        extra="lensbench[engines,vllm]",
        options=("device", "dtype"),
        divides_work=False,
        one_variant_at_a_time=True,
        target="lensbench.engines.vllm.engine:VllmEngine",
    ),
)


def engine_names() -> list[str]:
    """Names of the built-in engines, then those of installed packages; imports none of them."""
    return list(dict.fromkeys([*(info.name for info in _BUILT_IN), *plugin_entries(GROUP)]))


def engines() -> dict[str, EngineInfo | BrokenPlugin]:
    """All engines by name: the built-in ones, then those of installed packages (entry points `lensbench.engines`)."""
    table: dict[str, EngineInfo | BrokenPlugin] = {info.name: info for info in _BUILT_IN}
    for name, entry in plugin_entries(GROUP).items():
        if name not in table:
            table[name] = plugin_info(name, entry, try_entry, EngineInfo)
    return table


def get_engine(name: str) -> EngineInfo:
    """An engine by name; of the plugins only the one asked for is imported.

    Raises:
        UsageError: unknown; names the nearest.
        UnavailableError: the plugin that has it cannot be imported.
    """
    for info in _BUILT_IN:
        if info.name == name:
            return info
    entries = plugin_entries(GROUP)
    if name not in entries:
        raise unknown_name("engine", name, engine_names())
    found = plugin_info(name, entries[name], load_entry, EngineInfo)
    if isinstance(found, BrokenPlugin):
        raise UnavailableError(f"engine '{name}' of the package '{found.origin}' cannot be used: {found.reason}")
    return found


def rank_engines() -> list[str]:
    """Names of the built-in engines whose work several ranks can share."""
    return [info.name for info in _BUILT_IN if info.divides_work]


def check_engine(name: str, device: str) -> None:
    """Whether an engine can be used on this machine, asked before anything is read or fitted.

    Raises:
        UnavailableError: a package is missing, or the engine does not run here.
        UsageError: it would run elsewhere than on this device.
    """
    _class_of(name).check_available(device)


def open_engine(name: str, model: LazyBackbone, settings: EngineSettings) -> BaseEngine:
    """An engine over a backbone.

    Raises:
        UsageError: unknown name.
        UnavailableError: it cannot be used here.
    """
    return _class_of(name)(model, settings)


def open_reference(model: LazyBackbone, settings: EngineSettings) -> BaseEngine:
    """The engine that every other is held against, and that does what another cannot."""
    return open_engine(_REFERENCE, model, settings)


def engine_label(engine: object) -> str:
    """An engine for a message: its name, if the registry has it, and its class."""
    kind = type(engine)
    target = f"{kind.__module__}:{kind.__qualname__}"
    named = [info.name for info in engines().values() if isinstance(info, EngineInfo) and info.target == target]
    return f"engine '{named[0]}' ({target})" if named else f"engine {target}"


def _class_of(name: str) -> type[BaseEngine]:
    info = get_engine(name)
    found: type[BaseEngine] = target_of(info.name, info.target, info.origin, "engine")
    return found

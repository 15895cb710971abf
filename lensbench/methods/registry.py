"""The methods that can be named, without importing any of them."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lensbench.errors import UnavailableError, unknown_name
from lensbench.jsonio import JsonObject
from lensbench.plugins import OURS, BrokenPlugin, load_entry, plugin_entries, plugin_info, target_of, try_entry

if TYPE_CHECKING:
    from lensbench.methods.base import Method
    from lensbench.methods.config import MethodConfig

__all__ = ["GROUP", "BrokenPlugin", "MethodInfo", "config_model", "get_method", "load_method", "method_names", "methods"]


@dataclass(frozen=True)
class MethodInfo:
    """Description of a method for `lensbench ls methods`."""

    name: str
    title: str
    kind: str
    """"delta" (changed tensors), "adapter" or "intervention"."""
    needs: tuple[str, ...]
    """Corpora it learns from."""
    changes: str
    source: str
    target: str
    """`module:attribute` of the Method object."""
    config: str
    """`module:attribute` of its configuration model; the module may hold PRESETS. Importing it must load nothing heavy."""
    origin: str = OURS
    """The package it comes from."""


GROUP = "lensbench.methods"
"""Entry points of this group name a MethodInfo each, under the method's name."""

_BUILT_IN = (
    MethodInfo(
        name="lens",
        title="LENS: pull together, push apart and retain in language subspaces",
        kind="delta",
        needs=("probing texts per language (aya)", "parallel prompts (bactrian_x)"),
        changes="every parameter of the last blocks",
        source="arXiv 2410.04407",
        target="lensbench.methods.lens:METHOD",
        config="lensbench.methods.lens.config:LensConfig",
    ),
    MethodInfo(
        name="incline",
        title="INCLINE: at inference time, move the last prompt token's states towards English",
        kind="intervention",
        needs=("parallel prompts (bactrian_x) or sentences (ntrex)",),
        changes="no parameter; states of the prompt's last token",
        source="arXiv 2410.12462",
        target="lensbench.methods.incline:METHOD",
        config="lensbench.methods.incline.config:InclineConfig",
    ),
    MethodInfo(
        name="xsft",
        title="xSFT: instruction tuning on a few multilingual answers",
        kind="delta",
        needs=("answers per language (aya)", "answers per target language (bactrian_x)"),
        changes="every parameter, or adapters merged into the blocks",
        source="baseline in arXiv 2410.04407",
        target="lensbench.methods.xsft.method:METHOD",
        config="lensbench.methods.xsft.config:XsftConfig",
    ),
    MethodInfo(
        name="xsft-full",
        title="xSFT-Full: instruction tuning on all answers in the target languages",
        kind="delta",
        needs=("answers per target language (aya)", "answers per target language (bactrian_x)"),
        changes="every parameter, or adapters merged into the blocks",
        source="baseline in arXiv 2410.04407",
        target="lensbench.methods.xsft.method:FULL",
        config="lensbench.methods.xsft.full:XsftFullConfig",
    ),
    MethodInfo(
        name="qalign",
        title="QAlign: translating questions into the central language",
        kind="delta",
        needs=("parallel questions (bactrian_x)",),
        changes="every parameter, or adapters merged into the blocks",
        source="github.com/NJUNLP/QAlign; baseline in arXiv 2410.04407",
        target="lensbench.methods.qalign.method:METHOD",
        config="lensbench.methods.qalign.config:QalignConfig",
    ),
    MethodInfo(
        name="sdrrl",
        title="SDRRL: the model's own English answers, learned in several languages",
        kind="delta",
        needs=(
            "parallel questions (bactrian_x)",
            "a translator (nllb, self, file, openai or none)",
            "a language identifier (lid176)",
            "a lexicon for code_switch above 0",
        ),
        changes="every parameter, or adapters merged into the blocks",
        source="arXiv 2402.12204; baseline in arXiv 2410.04407",
        target="lensbench.methods.sdrrl.method:METHOD",
        config="lensbench.methods.sdrrl.config:SdrrlConfig",
    ),
)


def methods() -> dict[str, MethodInfo | BrokenPlugin]:
    """All methods by name: the built-in ones, then those of installed packages (entry points `lensbench.methods`)."""
    table: dict[str, MethodInfo | BrokenPlugin] = {info.name: info for info in _BUILT_IN}
    for name, entry in plugin_entries(GROUP).items():
        if name not in table:
            table[name] = plugin_info(name, entry, try_entry, MethodInfo)
    return table


def method_names() -> list[str]:
    """Names of all methods; no plugin is imported for it."""
    return list(dict.fromkeys([*(info.name for info in _BUILT_IN), *plugin_entries(GROUP)]))


def get_method(name: str) -> MethodInfo:
    """A method by name; of the plugins only the one asked for is imported.

    Raises:
        UsageError: unknown; names the nearest.
        UnavailableError: the plugin that has it cannot be imported.
    """
    built_in = {info.name: info for info in _BUILT_IN}
    if name in built_in:
        return built_in[name]
    entries = plugin_entries(GROUP)
    if name not in entries:
        raise unknown_name("method", name, [*built_in, *entries])
    found = plugin_info(name, entries[name], load_entry, MethodInfo)
    if isinstance(found, BrokenPlugin):
        raise UnavailableError(f"method '{name}' of the package '{found.origin}' cannot be used: {found.reason}")
    return found


def load_method(name: str) -> Method:
    """The method itself; imports its packages.

    Raises:
        UnavailableError: it comes from a package that cannot be imported.
    """
    info = get_method(name)
    method: Method = target_of(info.name, info.target, info.origin, "method")
    return method


def config_model(name: str) -> tuple[type[MethodConfig], dict[str, JsonObject]]:
    """A method's configuration model and its presets, without importing what the method computes with.

    Raises:
        UnavailableError: the method comes from a package that cannot be imported.
    """
    info = get_method(name)
    model = target_of(info.name, info.config, info.origin, "method")
    return model, getattr(importlib.import_module(info.config.split(":")[0]), "PRESETS", {})

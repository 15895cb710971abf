"""The methods that can be named, without importing any of them."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lensbench.errors import unknown_name

if TYPE_CHECKING:
    from lensbench.methods.base import Method

__all__ = ["MethodInfo", "get_method", "load_method", "methods"]


@dataclass(frozen=True)
class MethodInfo:
    """What `lensbench ls methods` tells of a method."""

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
    origin: str = "lensbench"
    """The package it comes from."""


_BUILT_IN = (
    MethodInfo(
        name="lens",
        title="LENS: pull together, push apart and retain in language subspaces",
        kind="delta",
        needs=("probing texts per language (aya)", "parallel prompts (bactrian_x)"),
        changes="every parameter of the last blocks",
        source="arXiv 2410.04407",
        target="lensbench.methods.lens:METHOD",
    ),
)


def methods() -> dict[str, MethodInfo]:
    """All methods by name."""
    return {info.name: info for info in _BUILT_IN}


def get_method(name: str) -> MethodInfo:
    """A method by name.

    Raises:
        UsageError: unknown; names the nearest.
    """
    table = methods()
    if name not in table:
        raise unknown_name("method", name, table)
    return table[name]


def load_method(name: str) -> Method:
    """The method itself; imports what it needs."""
    module, attribute = get_method(name).target.split(":")
    method: Method = getattr(importlib.import_module(module), attribute)
    return method

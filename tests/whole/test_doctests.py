"""Examples in docstrings are run, module by module."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "lensbench"
WITH_EXAMPLES = sorted(
    ".".join(("lensbench", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")
    for path in PACKAGE.rglob("*.py")
    if ">>>" in path.read_text(encoding="utf-8")
)


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples(name: str) -> None:
    found = doctest.testmod(importlib.import_module(name), verbose=False)
    assert found.attempted and not found.failed, found


def test_there_are_some() -> None:
    assert len(WITH_EXAMPLES) >= 7

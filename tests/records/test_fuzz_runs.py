"""Mutated run folders end in words, in every view, and nothing is written elsewhere; see fuzz_runs.py."""

from __future__ import annotations

from pathlib import Path

import pytest
from fuzz_runs import small_run, try_one, views


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_run(tmp_path_factory.mktemp("fuzz") / "whole")


def test_mutated_run_folders(whole: Path, tmp_path: Path) -> None:
    def few(run: Path, target: Path) -> list[list[str]]:
        return [arguments for arguments in views(run, target) if arguments[0] in ("show", "table", "report")][::2]

    assert [found for seed in range(60) for found in try_one(whole, tmp_path / "home", seed, few)] == []


@pytest.mark.slow
def test_many_mutated_run_folders(whole: Path, tmp_path: Path) -> None:
    assert [found for seed in range(1000, 1400) for found in try_one(whole, tmp_path / "home", seed)] == []

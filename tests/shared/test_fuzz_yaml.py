"""A hundred inputs of the fuzzer in CI, 3,000 as a slow test."""

from __future__ import annotations

from pathlib import Path

import pytest
from fuzz_yaml import attempt, failures, hostile


def test_hostile_files_do_no_harm(tmp_path: Path) -> None:
    assert list(failures(range(100), tmp_path)) == []


@pytest.mark.slow
def test_thousands_of_hostile_files_do_no_harm(tmp_path: Path) -> None:
    assert list(failures(range(10_000, 13_000), tmp_path)) == []


def test_the_fuzzer_sees_what_does_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a reader that writes, and one that raises, inputs are reported."""
    import lensbench.tasks.lint as lint

    for number, harm in enumerate((lambda *_, **__: Path("../written").write_text("x") and [], lambda *_, **__: 1 / 0)):
        monkeypatch.setattr(lint, "lint", harm)
        place = tmp_path / str(number)
        place.mkdir()
        fault = attempt(hostile(0), place)
        assert fault is not None and ("written" in fault or "ZeroDivisionError" in fault)

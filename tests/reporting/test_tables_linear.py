"""A table of many variants is made in linear time."""

from __future__ import annotations

import sys
from pathlib import Path
from types import FrameType
from typing import Any

from table_runs import cell, results, write_run

from lensbench.reporting.open_runs import open_runs
from lensbench.reporting.tables import Choice, build_table, load_table_spec, render_table


def _calls(path: Path, variants: int) -> int:
    """Calls of Python functions, which a loaded machine does not change as it changes seconds."""
    names = ["base", *(f"v{n}" for n in range(variants - 1))]
    cells = [
        cell(task, code, name, 0.5 + 0.001 * (place % 100), **({} if name == "base" else {"delta": 0.01, "p_value": 0.2}))
        for task in ("xcopa", "xwinograd")
        for code in ("en", "zh")
        for place, name in enumerate(names)
        if (task, code) != ("xcopa", "en")
    ]
    run = write_run(path, results(cells))
    found = 0

    def count(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal found
        found += event == "call"

    sys.setprofile(count)
    try:
        text = render_table(build_table(load_table_spec("bilingual"), open_runs([run]), choice=Choice()), "md")
    finally:
        sys.setprofile(None)
    assert f"v{variants - 2}" in text
    return found


def test_a_table_of_400_variants_takes_four_times_that_of_100(tmp_path: Path) -> None:
    _calls(tmp_path / "first", 10)  # what is read once, such as languages and backbones
    small, large = _calls(tmp_path / "small", 100), _calls(tmp_path / "large", 400)
    assert small > 1000
    # Four times the work, not sixteen.
    assert large / small < 5, (small, large)

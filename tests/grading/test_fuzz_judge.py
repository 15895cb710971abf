"""What judging reads from strangers, mutated: no traceback, no hang, nothing believed that is not so."""

from __future__ import annotations

import pytest
from fuzz_judge import fuzz


def check(n: int) -> None:
    found = fuzz(n)
    assert {kind: states.total() for kind, states in found.items()} == {
        "judge files": n,
        "stored files": n,
        "server replies": n,
        "batch replies": max(1, n // 4),
    }
    # Else the mutations are so coarse, or so fine, that they test nothing.
    assert found["judge files"]["read"] and found["judge files"]["refused UsageError"]
    assert found["server replies"]["ok"] and found["server replies"]["RequestFailed"]
    assert found["batch replies"]["read"] and found["batch replies"]["told UnavailableError"]


def test_three_hundred_inputs() -> None:
    check(90)


@pytest.mark.slow
def test_three_thousand_inputs() -> None:
    check(920)

"""Names of a stranger's run reach the terminal as text."""

from __future__ import annotations

import json

import pytest

from lensbench.cli.render import print_table
from lensbench.cli.terminal import echo, echo_json

HOSTILE = "a\x1b[31m\x07\x00\x9b\u202eb\ud83d"


def test_nothing_is_obeyed(capsys: pytest.CaptureFixture[str]) -> None:
    echo(HOSTILE)
    print_table((HOSTILE,), [[HOSTILE]], title="x")
    echo_json({HOSTILE: HOSTILE})
    said = capsys.readouterr().out
    assert not any(c in said for c in "\x1b\x07\x00\x9b\u202e\ud83d") and said.count("\\x1b") >= 3
    assert json.loads(said[said.index("{") :]) == {HOSTILE: HOSTILE}

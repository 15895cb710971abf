"""The functions every door shares: JSON with limits, names that become paths, text for a terminal."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lensbench.errors import DataError, UsageError
from lensbench.jsonio import finite, json_text, parse_json, read_json_file, read_json_lines
from lensbench.printable import printable
from lensbench.safenames import checked_name, inside, is_safe_name


def test_blank_lines_and_bom_carry_nothing(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"a": 1}\r\n\r\n{"a": 2}\n   \n')
    assert list(read_json_lines(path)) == [(1, {"a": 1}), (3, {"a": 2})]


@pytest.mark.parametrize(
    "content", [b"[" * 100_000, b"[" * 500 + b"]" * 500, b"1" * 5000, b"\xff", b"{", b"", b'{"a": 1} x'], ids=range(7)
)
def test_hostile_json_is_a_message(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"x\.json"):
        read_json_file(path)
    with pytest.raises(DataError, match=r"x\.json"):
        list(read_json_lines(path)) or pytest.fail("nothing was read") if content else read_json_file(path)


def test_no_plain_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", tmp_path / "none", Path("\0")):
        with pytest.raises(DataError):
            read_json_file(path)


@given(
    st.recursive(
        st.none() | st.floats() | st.text() | st.integers(-(10**20), 10**20),
        lambda x: st.lists(x) | st.dictionaries(st.text(), x),
    )
)
def test_written_json_is_strict(value: object) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    assert json.loads(json_text(value), parse_constant=refuse) == finite(value)
    assert parse_json(json_text(value), "x") == finite(value)


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "a/b",
        "a\\b",
        "",
        ".",
        "..",
        ".hidden",
        "a\0",
        "a\n",
        "x" * 201,
        "\u202ea",
        "é" * 101,
        "a:b",
        7,
        None,
        " a",
        "\ud800",
    ],
)
def test_names_that_become_no_path(name: object) -> None:
    assert not is_safe_name(name)
    with pytest.raises(UsageError, match="variant"):
        checked_name(name, "variant")


@pytest.mark.parametrize(
    "name", ["lens", "lens[start_layer=29]", "xsft-full", "模型", "m_mmlu", "Llama-3.1-8B", "a b", "é" * 100]
)
def test_names_that_may(name: str) -> None:
    assert checked_name(name, "variant") == name


def test_links_do_not_lead_out(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "out").symlink_to(tmp_path)
    assert inside(tmp_path / "run", tmp_path / "run" / "a" / "b")
    with pytest.raises(UsageError):
        inside(tmp_path / "run", tmp_path / "run" / "out" / "x")


def test_terminal_text() -> None:
    assert printable("a\x1b[31mb\x07\x9b\u202ec\x7f\ud800\u2028") == r"a\x1b[31mb\x07\x9b\u202ec\x7f\ud800\u2028"
    assert printable("ক্‌ষ 中文 👩‍🚀\n\t") == "ক্‌ষ 中文 👩‍🚀\n\t"
    assert printable("a\nb", one_line=True) == r"a\x0ab"


@given(st.text())
def test_terminal_text_can_be_written(text: str) -> None:
    shown = printable(text, one_line=True)
    shown.encode("utf-8")
    assert "\x1b" not in shown and len(shown.splitlines()) <= 1


def test_links_in_a_circle_lead_nowhere(tmp_path: Path) -> None:
    (tmp_path / "items").symlink_to("items")
    with pytest.raises(UsageError, match="links in a circle"):
        inside(tmp_path, tmp_path / "items" / "score.jsonl")

"""The one YAML loader: what it reads as what, and what it refuses, with file and line."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

import pytest

from lensbench.errors import UsageError
from lensbench.yamlio import read_yaml, yaml_value

READ = {
    "a: 1\nb: 1.5\nc: yes\nd: null\ne: text\nf: [1, x]\ng: {h: i}": {
        "a": 1,
        "b": 1.5,
        "c": True,
        "d": None,
        "e": "text",
        "f": [1, "x"],
        "g": {"h": "i"},
    },
    "a: 2026-02-30\nb: 2026-01-01T00:00:00Z\nc: 12:30": {"a": "2026-02-30", "b": "2026-01-01T00:00:00Z", "c": "12:30"},
    "a: 0x1F\nb: 0b11\nc: 010\nd: 08\ne: '010'\nf: 1_000\ng: +1": {
        "a": 31,
        "b": 3,
        "c": 8,
        "d": "08",
        "e": "010",
        "f": 1000,
        "g": 1,
    },
    "a: 1e5\nb: 1.0e-5\nc: -.5\nd: 1.": {"a": 1e5, "b": 1e-5, "c": -0.5, "d": 1.0},
    "a: &x {k: 1, l: 2}\nb: {<<: *x, l: 3}\nc: *x": {"a": {"k": 1, "l": 2}, "b": {"k": 1, "l": 3}, "c": {"k": 1, "l": 2}},
    "": {},
    "\ufeffa: 1": {"a": 1},
    "a: {1: x, 2: y}": {"a": {1: "x", 2: "y"}},
}


@pytest.mark.parametrize("text", READ)
def test_what_is_read(text: str, tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(text, encoding="utf-8")
    assert read_yaml(path).data == READ[text]


BILLION = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 10)
)
REFUSED = {
    "expansion": (BILLION, r"line 6, key 'a5': more than 100000 values"),
    "cycle in a list": ("ok: 1\na: &a [*a]", r"line 2, key 'a': \*a stands inside what it names"),
    "cycle in a mapping": ("&a {k: *a}", r"line 1, key 'k': \*a stands inside"),
    "recursive merge": ("a: &a {<<: *a}", r"line 1, key 'a.<<': \*a stands inside"),
    "deep list": ("a: " + "[" * 9000, r"line 1, key 'a': nested more than 40 deep"),
    "deep mapping": ("a: " + "{a: " * 9000, r"nested more than 40 deep"),
    "timestamp": ("ok: 1\na: !!timestamp 'x'", r"line 2: the tag !!timestamp is not read"),
    "binary": ("a: !!binary '='", r"line 1: the tag !!binary"),
    "set": ("a: !!set {x}", r"line 1: the tag !!set"),
    "omap": ("a: !!omap [x: 1]", r"line 1: the tag !!omap"),
    "python": ("a: !!python/object/apply:os.system ['touch x']", r"line 1: the tag !!python/object/apply:os.system"),
    "own tag": ("a: !mine x", r"line 1: the tag !mine"),
    "function": ("a: !function x.y", r"line 1: '!function x.y' would run Python code"),
    "function of a list": ("a: !function [x]", r"line 1: '!function ...' would run Python code"),
    "int of a word": ("a: !!int 'x'", r"line 1: 'x' is no integer"),
    "int of nothing": ("a: !!int ''", r"line 1: '' is no integer"),
    "int of a list": ("a: !!int [1]", r"line 1: expected a scalar node"),
    "float of a word": ("a: !!float x", r"line 1: 'x' is no number"),
    "bool of a word": ("a: !!bool x", r"line 1: 'x' is neither true nor false"),
    "digits": ("ok: 1\na: " + "9" * 4300, r"line 2: an integer of 4300 digits"),
    "not a number": ("a: .nan", r"line 1: '.nan' is not a finite number"),
    "infinity": ("a: -.inf", r"line 1: '-.inf' is not a finite number"),
    "twice": ("a: 1\nb: 2\na: 3", r"line 3, key 'b': the key 'a' is there twice, first in line 1"),
    "twice below": ("x:\n  a: 1\n  a: 3", r"line 3, key 'x.a': the key 'a' is there twice, first in line 2"),
    "no as a key": ("languages: {no: {}}", r"line 1, key 'languages': the key no is read as true or false, not as text"),
    "null as a key": ("~: 1", r"line 1: the key ~ is read as null"),
    "number as a key": ("1: x", r"line 1: the key 1 is no text"),
    "list as a key": ("? [a]\n: b", r"line 1: a list or mapping stands where a key should"),
    "alias as a key": ("a: &a x\n*a : y", r"line 2, key 'a': \*a stands where a key should"),
    "two documents": ("a: 1\n---\nb: 2", r"line 2: a second document begins here"),
    "control": ("a: 1\nb: \x1b[2J", r"line 2: a character that YAML does not allow"),
    "surrogate": ('a: "\\ud800"', r"line 1: found invalid Unicode character escape code"),
    "a list": ("- a", r"the top level must be a mapping, found list"),
    "a word": ("abc", r"the top level must be a mapping, found str"),
    "unclosed": ("a: 1\nb: [x\n", r"line \d: did not find expected"),
    "undefined alias": ("a: *x", r"line 1: found undefined alias"),
    "merge of a word": ("<<: x", r"line 1: expected a mapping or list of mappings for merging"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name: str, tmp_path: Path) -> None:
    text, says = REFUSED[name]
    path = tmp_path / "x.yaml"
    path.write_text(text, encoding="utf-8")
    began = time.monotonic()
    with pytest.raises(UsageError, match=re.escape(str(path)) + ".*" + says):
        read_yaml(path)
    assert time.monotonic() - began < 2


def test_what_is_no_plain_file_of_text(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "big").write_bytes(b"a: '" + b"x" * 2**22 + b"'")
    (tmp_path / "utf16").write_bytes("a: 1".encode("utf-16"))
    (tmp_path / "latin").write_bytes(b"a: caf\xe9")
    for name, says in (
        ("fifo", "not a plain file"),
        ("big", "more than the 4194304"),
        ("utf16", "not UTF-8 at byte 0"),
        ("latin", "not UTF-8 at byte 6"),
        ("none", "no such file"),
        (".", "is a folder"),
    ):
        with pytest.raises(UsageError, match=says):
            read_yaml(tmp_path / name)
    with pytest.raises(UsageError, match="not a plain file"):
        read_yaml(Path("/dev/zero"))


def test_a_value_of_the_command_line_has_the_same_limits() -> None:
    assert yaml_value("{zh: 0.5}", "--set x") == {"zh": 0.5} and yaml_value("", "--set x") is None
    with pytest.raises(UsageError, match=r"--set x.*stands inside"):
        yaml_value("&a [*a]", "--set x")

"""Safe printing: names and texts from strangers' files never reach the terminal as control sequences."""

from __future__ import annotations

import re
from typing import Any

import click

from lensbench.jsonio import json_text
from lensbench.printable import printable

__all__ = ["echo", "echo_json", "split_names"]

_ODD = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Characters that JSON allows in a text and that are unsafe on a terminal."""


def echo(text: object = "", *, err: bool = False, nl: bool = True) -> None:
    """`click.echo` of text in which controls, direction marks and lone surrogates are written as escapes."""
    click.echo(printable(text), err=err, nl=nl)


def echo_json(content: Any) -> None:
    """JSON, with those characters as JSON's own escapes: it reads as the same content."""
    click.echo(_ODD.sub(lambda found: f"\\u{ord(found[0]):04x}", json_text(content, indent=2)))


def split_names(text: str) -> list[str]:
    """`zh, ja` -> names; parts without a character are none."""
    return [part.strip() for part in text.split(",") if part.strip()]

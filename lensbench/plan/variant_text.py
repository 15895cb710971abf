"""Syntax of a variant in one line: `wide=lens:start_layer=25,rank=1`, `lens:seed=1`, `mine=path/to/model`.

What stands behind the name is a method where it is a method's name, alone or with a colon and settings behind it; else it is a
checkpoint. A folder that has a method's name, or a colon in its own, is written with `./` in front.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from lensbench.errors import UsageError, unknown_name
from lensbench.methods import method_names
from lensbench.plan.request import VariantRequest
from lensbench.yamlio import yaml_value

__all__ = ["is_variant_name", "parse_variant", "split_at_commas"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
_WITH_SETTINGS = re.compile(rf"({_NAME.pattern}):(.*)", re.DOTALL)
_EXAMPLES = "Examples: ``variants=wide=lens:start_layer=25,rank=1``, ``variants=mine=path/to/model``"


def is_variant_name(name: str) -> bool:
    """Whether a user can call a variant so: letters, digits and `. _ + -`, which stand in file names and in commands."""
    return _NAME.fullmatch(name) is not None


def parse_variant(text: str) -> VariantRequest:
    """Read one variant.

    Raises:
        UsageError: a name that cannot be one, an unknown method (with the nearest), or settings that are not `key=value`.
    """
    before, equals, after = text.partition("=")
    # In `lens:seed=1` the first sign of equality belongs to a setting.
    name, rest = (before, after) if equals and not _WITH_SETTINGS.fullmatch(before) else (None, text)
    if name is not None and not is_variant_name(name):
        raise UsageError(f"``variants={text}``: '{name}' cannot name a variant", _EXAMPLES)
    found = _WITH_SETTINGS.fullmatch(rest)
    method, settings = (found[1], found[2]) if found else (rest, "")
    if method in method_names():
        return VariantRequest(name, method, dict(_settings(settings, text)), text=text)
    if found:
        error = unknown_name("method", method, method_names())
        raise UsageError(f"``variants={text}``: {error.message}", f"{error.hint}\n  A folder of this name: ./{rest}")
    if name is None and not is_variant_name(rest):
        raise UsageError(f"``variants={text}``: '{rest}' cannot name a variant", _EXAMPLES)
    return VariantRequest(name or rest, checkpoint=rest, text=text)


def _settings(text: str, where: str) -> Iterator[tuple[str, Any]]:
    seen = set()
    for part in split_at_commas(text) if text.strip() else ():
        key, equals, value = part.partition("=")
        key = key.strip()
        if not equals or not key:
            raise UsageError(f"``variants={where}``: '{part}' is no key=value", _EXAMPLES)
        if key in seen:
            raise UsageError(f"``variants={where}``: '{key}' is given twice")
        seen.add(key)
        yield key, yaml_value(value, f"``variants={where}``")


def split_at_commas(text: str) -> Iterator[str]:
    """The parts between commas, but for commas inside brackets and quotes: `push_strength={zh: 0.5, ja: 1},rank=1` has two."""
    depth, quote, start = 0, "", 0
    for at, character in enumerate(text):
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        elif character in "[{":
            depth += 1
        elif character in "]}":
            depth -= 1
        elif character == "," and depth == 0:
            yield text[start:at]
            start = at + 1
    yield text[start:]

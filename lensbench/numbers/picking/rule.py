"""The rule by which a setting is chosen, as a user writes it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from lensbench.errors import UsageError, nearest, unknown_name
from lensbench.metrics import LANGUAGES, RATINGS, SCORES

__all__ = ["DEFAULT_SHARE", "ENDPOINTS", "PickRule", "parse_pick"]

DEFAULT_SHARE = 0.3
"""Share of the source items that choose. The rest reports, so it has the larger part."""
ENDPOINTS = (SCORES.asks, LANGUAGES.asks, RATINGS.asks)
"""Endpoints that a setting can be chosen by; without a choice, the first of these that the run's tasks have."""
_KEYS = ("share", "endpoint")
_VALIDATION = "validation"
_EXAMPLE = "Example: ``pick=share=0.3``, ``pick=validation`` or ``pick=share=0.5,endpoint=language``"


@dataclass(frozen=True)
class PickRule:
    """A setting of each method is chosen on development items: the highest mean of the endpoint over the target languages, among
    the settings whose loss in English on these items is below the margin.

    Attributes:
        share: Share of the source items that are development items.
        validation: Whether a task with a validation split of its own takes the items of that split in place of the share.
        endpoint: "accuracy", "language" or "rating"; None: the first of these that the run's tasks have.
    """

    share: float = DEFAULT_SHARE
    validation: bool = False
    endpoint: str | None = None

    @property
    def text(self) -> str:
        """The rule as a user writes it; `parse_pick` reads it back."""
        parts = [_VALIDATION] if self.validation else []
        parts.append(f"share={self.share:g}")
        return ",".join([*parts, *([f"endpoint={self.endpoint}"] if self.endpoint else [])])


def parse_pick(text: str) -> PickRule:
    """A rule from text: `share=0.3`, `validation`, `endpoint=accuracy`, joined by commas; "" is the default rule.

    Raises:
        UsageError: an unknown word or endpoint (with the nearest), or a share that leaves one side empty.
    """
    rule = PickRule()
    seen: set[str] = set()
    for part in filter(None, (part.strip() for part in text.split(","))):
        key, given, value = (piece.strip() for piece in part.partition("="))
        if key in seen:
            raise UsageError(f"``pick={text}`` gives '{key}' twice", _EXAMPLE)
        seen.add(key)
        if key == _VALIDATION and not given:
            rule = replace(rule, validation=True)
        elif key == "share" and given:
            rule = replace(rule, share=_share(value))
        elif key == "endpoint" and given:
            if value not in ENDPOINTS:
                raise unknown_name("endpoint", value, ENDPOINTS)
            rule = replace(rule, endpoint=value)
        else:
            raise _unknown(text, part, key)
    return rule


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = math.nan
    if not 0 < share < 1:
        raise UsageError(
            f"``pick=share={text}``: a number between 0 and 1 was expected",
            "It is the share of the source items that choose a setting; the others report it, so both need some.",
        )
    return share


def _unknown(text: str, part: str, key: str) -> UsageError:
    close = nearest(key, [*_KEYS, _VALIDATION])
    guess = f"Did you mean '{close}'? " if close else ""
    return UsageError(
        f"``pick={text}``: '{part}' is no part of a rule",
        f"{guess}Known: share=SHARE, endpoint=ENDPOINT, {_VALIDATION}. {_EXAMPLE}. A FILE to run stands before ``pick``.",
    )

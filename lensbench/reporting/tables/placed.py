"""Sentences on single numbers, each told once with the rows or columns that it concerns."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["PlacedTexts"]


class PlacedTexts:
    """Collects texts number by number."""

    def __init__(self) -> None:
        self._all: dict[tuple[str, str], None] = {}
        self._places: dict[str, dict[tuple[str, str], None]] = {}

    def add(self, row: str, column: str, texts: Sequence[str]) -> None:
        """What is true of one number; nothing, where the list is empty."""
        self._all[row, column] = None
        for text in texts:
            self._places.setdefault(text, {})[row, column] = None

    @property
    def numbers(self) -> int:
        """How many numbers there are, with and without a text."""
        return len(self._all)

    def told(self) -> list[tuple[str, str]]:
        """Each text, and the rows or columns that it concerns; "" for all."""
        return [(text, self._where(places)) for text, places in self._places.items()]

    def _where(self, places: dict[tuple[str, str], None]) -> str:
        if places.keys() == self._all.keys():
            return ""
        rows, columns = dict.fromkeys(row for row, _ in places), dict.fromkeys(column for _, column in places)
        if places.keys() == {place for place in self._all if place[0] in rows}:
            return ", ".join(rows)
        if places.keys() == {place for place in self._all if place[1] in columns}:
            return ", ".join(columns)
        return ", ".join(f"{row} {column}".strip() for row, column in places)

"""Addresses within a report: the items behind a number, by task, language and variant."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from urllib.parse import quote

from lensbench.records import TaskKey
from lensbench.reporting.run_view import RunView

__all__ = ["ItemLinks", "Place"]

Place = tuple[str, str, str]
"""Task, profile and language of items in the page."""


class ItemLinks:
    """Addresses of the items of one run.

    Args:
        labels: Variant -> the label of its column.
        places: Where the page has items.
    """

    def __init__(self, run: RunView, labels: dict[str, str], places: Collection[Place]) -> None:
        self._run, self._labels, self._places = run, labels, places

    def of(self, cells: Iterable[str], variant: str | None = None) -> str:
        """The address of the items of some cells under a variant; "" where the page has none of them.

        Args:
            cells: `TASK/LANGUAGE`.
            variant: None for all.
        """
        tasks: dict[str, None] = {}
        languages: dict[str, None] = {}
        for key in map(TaskKey.parse, cells):
            facts = self._run.results.tasks.get(key)
            profile = facts.profile if facts is not None else None
            if profile is not None and (key.task, profile, key.language) in self._places:
                tasks[f"{key.task}@{profile}"] = None
                languages[key.language] = None
        if not tasks:
            return ""
        parts = [("task", ",".join(tasks)), ("language", ",".join(languages))]
        if variant in self._labels:
            parts.append(("variant", self._labels[variant]))
        return "#" + "&".join(f"{name}={quote(value, safe='@,-._')}" for name, value in parts)

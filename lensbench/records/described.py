"""What `variants.json` says of a run's tasks and variants, tolerant of what older versions did not write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lensbench.records.from_object import from_object
from lensbench.records.task_key import RowsKey, TaskKey

__all__ = ["NOT_RECORDED", "RowsOrigin", "TaskFacts", "VariantFacts"]

NOT_RECORDED = "not recorded"
"""What stands where an older version did not write something that cannot be told from the rest."""


@dataclass(frozen=True)
class RowsOrigin:
    """Where the rows of a task came from (`datasets.sources.Origin`); None for what the run does not say."""

    kind: str | None = None
    name: str | None = None
    revision: str | None = None
    rows: int | None = None
    expected_rows: int | None = None
    stand_in: str | None = None
    """What these rows are when they are not the data set they stand for."""
    warning: str | None = None


@dataclass(frozen=True)
class TaskFacts:
    """One task in one language, as a run asked it."""

    title: str
    profile: str | None = None
    protocol: str | None = None
    """Hash of how it was asked."""
    rows: str | None = None
    """A `RowsKey` as text."""
    substitute: str | None = None
    """Rows definition that stood in for the task's first choice."""
    origin: RowsOrigin | None = None
    """None where lm-eval read the rows itself."""
    max_new_tokens: int | None = None
    """After how many new tokens answers were cut, where that is not the profile's own length."""
    wording: str | None = NOT_RECORDED
    """Whose words the prompts have: "ours" or "authors"; None where the task does not say."""
    stands_for: str | None = None
    """The profile in whose place its own may stand."""
    higher_is_better: Mapping[str, bool] | None = None
    """Metric -> whether more is better."""

    @classmethod
    def of(cls, key: TaskKey, content: Mapping[str, Any]) -> TaskFacts:
        """The facts in an entry of `tasks`."""
        origin = content.get("origin")
        return from_object(
            cls,
            {"title": key.task, **content},
            origin=from_object(RowsOrigin, origin) if isinstance(origin, dict) and origin else None,
        )

    @property
    def rows_digest(self) -> str:
        """Beginning of the digest of the rows: equal digests are equal rows."""
        return RowsKey.parse(str(self.rows)).digest


@dataclass(frozen=True)
class VariantFacts:
    """One variant of a run."""

    digest: str | None = None
    method: str | None = None
    """None of the backbone, and of another checkpoint."""
    seed: int | None = None
    note: str | None = None
    """What a reader must know of its fit."""
    external: str | None = None
    """Title of the checkpoint that it is; None where it is made of the run's backbone."""

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> VariantFacts:
        """The facts in an entry of `variants`."""
        external = content.get("external")
        return from_object(cls, content, external=external["title"] if external else None)

"""Which cells of a run are averaged together, and what each average is for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lensbench.languages import CENTRAL
from lensbench.metrics import Metric
from lensbench.numbers.average import Role
from lensbench.records import TaskKey
from lensbench.tasks.lm_eval_names import UNKNOWN

__all__ = ["NOT_IN_ENGLISH", "AverageGroup", "average_groups"]

NOT_IN_ENGLISH = "xcopa"
"""The task that the papers' English mean leaves out: its English version is COPA, from which XCOPA was translated."""


@dataclass(frozen=True)
class AverageGroup:
    """Cells that are averaged together.

    Attributes:
        over: As `Average.over`.
        keys: Task and language of each cell.
    """

    role: Role
    over: str
    profile: str
    metric: Metric
    grader: str
    keys: tuple[TaskKey, ...]

    @property
    def task(self) -> str | None:
        """The task, where all cells are of one."""
        return self.keys[0].task if len({key.task for key in self.keys}) == 1 else None

    @property
    def language(self) -> str | None:
        """The language, where all cells are of one."""
        return self.keys[0].language if len({key.language for key in self.keys}) == 1 else None

    @property
    def name(self) -> str:
        """As signatures have it: `languages:xcopa`."""
        of = (self.task, self.language) if self.over == "cell" else (self.task or self.language,)
        return ":".join(part for part in (self.over.replace(" ", "-"), *of) if part)

    @property
    def weights(self) -> NDArray[Any]:
        """`[cells]`: languages weigh alike, and so do a language's tasks."""
        often = Counter(key.language for key in self.keys)
        return np.array([1 / often[key.language] for key in self.keys])


def average_groups(profile: str, metric: Metric, grader: str, keys: Sequence[TaskKey]) -> list[AverageGroup]:
    """All averages of one metric from one grader under one profile.

    The endpoint comes first, then its languages, English, and those that are only shown: a task's mean over the languages, the
    mean of English without XCOPA, and tasks of no known language.

    Args:
        keys: Of the cells that the run has, in its order.
    """

    def group(role: Role, chosen: Sequence[TaskKey], over: str | None = None) -> AverageGroup:
        return AverageGroup(role, over or _over(chosen), profile, metric, grader, tuple(chosen))

    targets = [key for key in keys if key.language not in (CENTRAL, UNKNOWN)]
    english = [key for key in keys if key.language == CENTRAL]
    unknown = [key for key in keys if key.language == UNKNOWN]
    languages = list(dict.fromkeys(key.language for key in targets))
    tasks = list(dict.fromkeys(key.task for key in targets))
    found = [group("endpoint", targets)] if targets else []
    if len(languages) > 1:
        found += [group("language", [key for key in targets if key.language == code]) for code in languages]
    if english:
        found.append(group("english", english))
    some = [key for key in english if key.task != NOT_IN_ENGLISH]
    if 1 < len(some) < len(english):
        found.append(group("exploratory", some, f"tasks without {NOT_IN_ENGLISH}"))
    if len(tasks) > 1:
        by_task = ([key for key in targets if key.task == task] for task in tasks)
        found += [group("exploratory", own) for own in by_task if len(own) > 1]
    if len(unknown) > 1:
        found.append(group("exploratory", unknown))
    return found


def _over(keys: Sequence[TaskKey]) -> str:
    tasks, languages = len({key.task for key in keys}) > 1, len({key.language for key in keys}) > 1
    if tasks and languages:
        return "tasks and languages"
    return "tasks" if tasks else "languages" if languages else "cell"

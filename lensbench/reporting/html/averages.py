"""The averages of a run in groups: what is tested first, its languages, English, and what is only shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lensbench.numbers.average import Average, Role
from lensbench.records import TaskKey
from lensbench.reporting.blocks import MARKS
from lensbench.reporting.html.links import ItemLinks
from lensbench.reporting.html.shown_average import MISSING, RETENTION
from lensbench.reporting.run_view import RunView
from lensbench.reporting.text.cell_text import interval, metric_name, number, p_text

__all__ = ["AverageGroup", "AverageRow", "average_groups"]

_GROUPS: tuple[tuple[Role, str, str], ...] = (
    ("endpoint", "Endpoints", "Means over the target languages. p is adjusted by Holm over all variants and endpoints."),
    ("language", "Languages of the endpoints", "Tested only where the endpoint of the variant passed."),
    ("english", "English", "No verdict: at worst is the end of the unadjusted 95% interval on the side of a loss."),
    ("exploratory", "Exploratory", "Intervals only; nothing here is tested."),
)


@dataclass(frozen=True)
class AverageRow:
    """One average as text."""

    of: str
    metric: str
    variant: str
    value: str
    interval: str
    delta: str
    delta_interval: str
    p: str
    n: str
    mark: str
    outcome: str
    tone: str
    href: str
    leads: bool


@dataclass(frozen=True)
class AverageGroup:
    """Averages of one role; `outcome` is the name of the column that says what came out, "" for none."""

    title: str
    note: str
    outcome: str
    rows: list[AverageRow]


def average_groups(run: RunView, links: ItemLinks) -> list[AverageGroup]:
    """Those groups that a run has."""
    groups = []
    for role, title, note in _GROUPS:
        own = [average for average in run.results.averages if average.role == role]
        rows = [_row(run, average, links, own) for average in own]
        if rows:
            outcome = {"endpoint": "verdict", "language": "verdict", "english": "at worst"}.get(role, "")
            groups.append(AverageGroup(title, note, outcome, rows))
    return groups


def _row(run: RunView, average: Average, links: ItemLinks, group: Sequence[Average]) -> AverageRow:
    verdict: str = average.verdict or ""
    mark = MARKS.get(verdict, "")
    outcome = verdict if mark else ""
    tone = verdict if verdict in ("better", "worse") else ""
    if average.role == "english" and average.at_worst is not None:
        word = RETENTION.get(average.retention or "", "")
        outcome, tone = (
            f"{number(average, average.at_worst, sign=True)} {word}",
            {"shown": "kept"}.get(average.retention or "", ""),
        )
        tone = "worse" if average.retention == "worse" else tone
    alike = {one.profile for one in group if (one.metric, one.source) == (average.metric, average.source)}
    return AverageRow(
        _of(run, average),
        metric_name(average) + (f", {average.profile}" if len(alike) > 1 else ""),
        run.results.called(average.variant),
        number(average, average.value, missing=MISSING),
        interval(average, average.low, average.high),
        number(average, average.delta, sign=True),
        interval(average, average.delta_low, average.delta_high, sign=True),
        p_text(average.p_holm),
        str(average.n),
        mark,
        outcome,
        tone,
        links.of(average.cells, average.variant),
        bool(average.leads),
    )


def _of(run: RunView, average: Average) -> str:
    """What an average is over: `4 tasks, 6 languages`, `XCOPA, 6 languages`, `zh, 4 tasks`."""
    keys = [TaskKey.parse(cell) for cell in average.cells]
    tasks, languages = list(dict.fromkeys(k.task for k in keys)), list(dict.fromkeys(k.language for k in keys))
    titles = run.results.titles()
    of_tasks = titles.get(tasks[0], tasks[0]) if len(tasks) == 1 else f"{len(tasks)} tasks"
    of_languages = languages[0] if len(languages) == 1 else f"{len(languages)} languages"
    without = average.over.partition(" without ")[2]
    return f"{of_tasks}, {of_languages}" + (f" (without {titles.get(without, without)})" if without else "")

"""The first screen of a run: facts, what voids its numbers, the four questions, and one row for each variant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lensbench.languages import CENTRAL
from lensbench.metrics import LANGUAGES, RATINGS, metric_of
from lensbench.records import Grader
from lensbench.reporting.answer import Answer, Measure, Statement, answer_of
from lensbench.reporting.answer.rows import Rows
from lensbench.reporting.html.copies import Copies, copies_of
from lensbench.reporting.html.forest import span_of
from lensbench.reporting.html.links import ItemLinks
from lensbench.reporting.html.shown_average import ShownAverage, english_average, level, target_average
from lensbench.reporting.run_view import RunView
from lensbench.reporting.text.cost import cost_brief
from lensbench.spec import BASE

__all__ = ["FirstScreen", "Head", "LanguageGrid", "Said", "first_screen", "short_title"]

_MOST_NAMES = 3
"""Variants that a title names."""
_FIRST, _FIRST_VOIDS = 8, 6
"""Sentences of a question, and warnings, that are open; the rest is folded."""


@dataclass(frozen=True)
class Head:
    """A column: what is measured, over what, and the items."""

    title: str
    of: str
    href: str


@dataclass(frozen=True)
class Said:
    """A sentence with the address of its items."""

    statement: Statement
    href: str


@dataclass(frozen=True)
class LanguageGrid:
    """One measure by language.

    Attributes:
        languages: Codes, English first.
        rows: Variant -> a number for each language; None where there is none.
    """

    head: Head
    languages: list[str]
    rows: dict[str, list[ShownAverage | None]]


@dataclass(frozen=True)
class FirstScreen:
    """What a reader of one run sees first.

    Attributes:
        rows: Variant -> its numbers, targets before English, and what its fit cost.
        base: Values of the untouched backbone in the same columns; empty where it was not evaluated.
        voids: The first warnings, and those that are folded.
        questions: Each with its first sentences and those that are folded.
    """

    run: RunView
    answer: Answer
    facts: list[str]
    voids: tuple[list[Said], list[Said]]
    questions: list[tuple[str, list[Said], list[Said]]]
    targets: list[Head]
    english: list[Head]
    base: list[ShownAverage]
    rows: dict[str, tuple[list[ShownAverage], tuple[str, str]]]
    grids: list[LanguageGrid]
    copies: Copies | None
    more: str = ""
    """What is not in the rows; "" where all variants are."""
    seeded: bool = False
    """Whether a row is the mean of several seeds."""


def first_screen(run: RunView, links: ItemLinks, items: int) -> FirstScreen:
    """The first screen of a run, finished or not.

    Args:
        items: How many items the run has.
    """
    answer = answer_of(run)
    measures, shown_rows = answer.rows.measures, answer.rows
    on_targets = [measure for measure in measures if measure.targets]
    in_english = [measure for measure in measures if measure.english]
    spans = {
        id(averages): span_of(a for name, a in averages.items() if name != BASE)
        for measure in measures
        for averages in (measure.targets, measure.english)
    }
    rows = {}
    for variant in shown_rows.names:
        shown = [target_average(m.targets.get(variant), m, links, spans[id(m.targets)]) for m in on_targets]
        shown += [english_average(m.english.get(variant), m, links, spans[id(m.english)]) for m in in_english]
        rows[variant] = (shown, cost_brief(run.results.costs.get(_costed(shown_rows, variant))))
    has_base = any(BASE in averages for m in measures for averages in (m.targets, m.english))
    base = [level(m.targets.get(BASE), m, links) for m in on_targets] + [level(m.english.get(BASE), m, links) for m in in_english]
    return FirstScreen(
        run,
        answer,
        _facts(run, items),
        _said(answer.voids, links, _FIRST_VOIDS),
        [(question, *_said(statements, links)) for question, statements in answer.questions],
        [Head(_title(m), m.of_targets, links.of(map(str, m.target_cells))) for m in on_targets],
        [Head(_title(m), m.of_english, links.of(map(str, m.english_cells))) for m in in_english],
        base if has_base else [],
        rows,
        [grid for m in measures if (grid := _grid(m, shown_rows.names, links)) is not None],
        copies_of(run, answer) if answer.measures and answer.variants else None,
        shown_rows.left_out,
        any(len(setting.variants) > 1 for setting in shown_rows.settings.values()),
    )


def _costed(rows: Rows, name: str) -> str:
    """The variant whose fit a row names; the first of several seeds."""
    setting = rows.settings.get(name)
    return name if setting is None else setting.variants[0]


def short_title(run: RunView) -> str:
    """The enhanced variants on the backbone, counted where they are many."""
    enhanced = [name for name in run.results.variants if name != BASE]
    return run.title if len(enhanced) <= _MOST_NAMES else f"{len(enhanced)} variants on {run.results.backbone}"


def _title(measure: Measure) -> str:
    return measure.short[:1].upper() + measure.short[1:]


def _said(statements: Sequence[Statement], links: ItemLinks, most: int = _FIRST) -> tuple[list[Said], list[Said]]:
    """What a test decided comes first where sentences are folded."""
    found = [Said(one, links.of(one.cells, one.variant)) for one in statements]
    if len(found) <= most + 2:
        return found, []
    rank = ("worse", "better", "warning", "plain")
    found.sort(key=lambda one: rank.index(one.statement.tone))
    return found[:most], found[most:]


def _grid(measure: Measure, variants: Sequence[str], links: ItemLinks) -> LanguageGrid | None:
    codes = list(measure.languages)
    if not variants or not codes:
        return None
    names = [CENTRAL, *codes] if measure.english else codes
    rows: dict[str, list[ShownAverage | None]] = {}
    for variant in variants:
        shown: list[ShownAverage | None] = []
        if measure.english:
            english = measure.english.get(variant)
            shown.append(None if english is None else english_average(english, measure, links))
        for code in codes:
            average = measure.languages[code].get(variant)
            shown.append(None if average is None else target_average(average, measure, links))
        rows[variant] = shown
    tasks = list(dict.fromkeys(key.task for key in measure.target_cells))
    of = tasks[0] if len(tasks) == 1 else f"mean of {len(tasks)} tasks"
    return LanguageGrid(Head(_title(measure), of, links.of(map(str, measure.target_cells))), names, rows)


def _facts(run: RunView, items: int) -> list[str]:
    """One line: items, languages, seeds, judge, identifier, rows."""
    results = run.results
    languages = list(dict.fromkeys(key.language for key in results.tasks))
    targets = [code for code in languages if code != CENTRAL]
    named = ", ".join(targets) if len(targets) <= _FIRST else f"{len(targets)} target languages"
    facts = [f"{items:,} item{'' if items == 1 else 's'}"]
    facts.append(" and English".join([named, ""]) if targets and CENTRAL in languages else named or "English only")
    seeds = {facts.seed for name, facts in results.variants.items() if name != BASE and facts.method is not None}
    known = sorted(seed for seed in seeds if seed is not None)
    if seeds:
        facts.append(f"training seed{'s' if len(known) > 1 else ''} {', '.join(map(str, known)) or 'not recorded'}")
    facts += _graders(run)
    origins = dict.fromkeys(f"{o.name} ({o.kind})" for facts in results.tasks.values() if (o := facts.origin) is not None)
    if origins:
        shown = list(origins)[:_MOST_NAMES]
        more = len(origins) - len(shown)
        facts.append(f"rows {', '.join(shown)}{f' and {more} more' if more else ''}")
    return facts


def _graders(run: RunView) -> list[str]:
    found: dict[str, list[str]] = {}
    repeats: set[int] = set()
    for cell in run.results.cells:
        basis = metric_of(cell).basis
        grader = Grader.of_cell(cell.source, cell.unit)
        if grader is None or basis not in (LANGUAGES, RATINGS):
            continue
        name = grader.name + (f" ({grader.model})" if grader.model else "")
        names = found.setdefault(basis.grader, [])
        if name not in names:
            names.append(name)
        if basis is RATINGS and cell.repeats is not None:
            repeats.add(cell.repeats)
    facts = [f"{kind}{'s' if len(names) > 1 else ''} {', '.join(names)}" for kind, names in found.items()]
    often = f", {min(repeats)} grading{'' if min(repeats) == 1 else 's'} an answer" if repeats else ""
    return [fact + (often if fact.startswith(RATINGS.grader) else "") for fact in facts]

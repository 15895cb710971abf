"""One function for each figure of the paper: runs in, a drawn figure with its caption out."""

from __future__ import annotations

from collections.abc import Sequence

from lensbench.errors import UsageError, unknown_name
from lensbench.languages import languages
from lensbench.printable import printable
from lensbench.reporting.blocks import Block, BlockCell
from lensbench.reporting.figures.bars import draw_bars
from lensbench.reporting.figures.caption import cells_sentences, panels_caption
from lensbench.reporting.figures.drawn import Drawn
from lensbench.reporting.figures.fonts import Label, labels_for, missing_fonts
from lensbench.reporting.figures.heat import choose_matrices, draw_matrices, matrix_caption
from lensbench.reporting.figures.lines import LinePanel, draw_lines
from lensbench.reporting.figures.panels import (
    Choice,
    Kind,
    Panel,
    blocks_for,
    by_language,
    by_task,
    chance_at,
    mean_blocks,
    names_of,
)
from lensbench.reporting.figures.pick import draw_picks, pick_caption, pick_panels
from lensbench.reporting.figures.projection import read_projection
from lensbench.reporting.figures.scatter import draw_projection, projection_caption
from lensbench.reporting.figures.seed_means import SeedMean, seed_mean, seeds_beside
from lensbench.reporting.figures.style import styled
from lensbench.reporting.figures.sweeps import Sweep, find_sweeps, layer_sweep, read_settings
from lensbench.reporting.run_view import RunView
from lensbench.spec import BASE

__all__ = ["ablation", "external", "figures_for", "layers", "matrix", "pca", "per_language", "pick"]

_SUBJECTS = {"generation": "Answers to open questions by language.", "understanding": "Closed tasks by language."}


def per_language(
    runs: Sequence[RunView], kind: Kind, choice: Choice | None = None, *, native: bool = False, width: float | None = None
) -> Drawn:
    """Bars per language, base and every variant side by side (Figures 2, 7, 8 and 9 of the LENS paper)."""
    panels = by_language(runs, kind, choice or Choice())
    labels = labels_for(list(dict.fromkeys(code for p in panels for code in p.places)), native=native)
    subject = f"{_SUBJECTS[kind]} Backbone: {_backbones(runs)}."
    return _bars(panels, labels, subject, width)


def external(runs: Sequence[RunView], choice: Choice | None = None, *, native: bool = False, width: float | None = None) -> Drawn:
    """Variants beside other people's checkpoints, task by task (Figure 5).

    Raises:
        UsageError: no run has such a checkpoint.
    """
    named = {name: facts.external for run in runs for name, facts in run.results.variants.items() if facts.external is not None}
    if not named:
        raise UsageError(
            "no run has a checkpoint of others among its variants",
            "Score one beside the backbone: lensbench run ``variants=NAME=MODEL``.",
        )
    panels = by_task(runs, choice or Choice())
    labels = labels_for([panel.title for panel in panels], native=native)
    checkpoints = "; ".join(f"{name} is {title}" for name, title in named.items())
    return _bars(panels, labels, f"Variants of {_backbones(runs)} beside other checkpoints ({checkpoints}).", width)


def ablation(
    runs: Sequence[RunView],
    choice: Choice | None = None,
    *,
    fields: Sequence[str] = (),
    native: bool = False,
    width: float | None = None,
) -> Drawn:
    """Scores against every switch in which the runs' fits differ (Figure 3)."""
    choice = choice or Choice()
    sweeps = find_sweeps(read_settings(runs, _variant(choice)), fields)
    held = [
        f"{sweep.field}: {', '.join(f'{name} = {value}' for name, value in sweep.fixed.items())}"
        for sweep in sweeps
        if sweep.fixed
    ]
    subject = f"Scores of fits on {_backbones(runs)} that differ in one switch." + (f" Held: {'; '.join(held)}." if held else "")
    return _sweeps(runs, sweeps, choice, subject, native, width)


def layers(runs: Sequence[RunView], choice: Choice | None = None, *, native: bool = False, width: float | None = None) -> Drawn:
    """Scores against the first changed block, counted from 1 (Figure 4)."""
    choice = choice or Choice()
    sweep = layer_sweep(read_settings(runs, _variant(choice)))
    subject = (
        f"Scores of fits on {_backbones(runs)} by the first block that was changed, counted from 1; the last block is the end."
    )
    return _sweeps(runs, [sweep], choice, subject, native, width)


def matrix(
    runs: Sequence[RunView],
    *,
    task: str | None = None,
    level: str = "answer",
    turn: int = 1,
    identifier: str | None = None,
    variants: Sequence[str] = (),
    native: bool = False,
    width: float | None = None,
) -> Drawn:
    """The asked x answered matrix of every variant as a heat map."""
    found = choose_matrices(runs, task=task, level=level, turn=turn, identifier=identifier, variants=variants)
    codes = list(dict.fromkeys(code for _, m in found for code in (*m.matrix.asked, *m.matrix.answered) if code in languages()))
    labels = labels_for(codes, native=native)
    titles = {task: title for run in runs for task, title in run.results.titles().items()}
    name = found[0][1].task
    with styled():
        figure = draw_matrices(found, labels, width)
    return Drawn(figure, _with_fonts(matrix_caption(titles.get(name, name), found), labels))


def pca(runs: Sequence[RunView], choice: Choice | None = None, *, native: bool = False, width: float | None = None) -> Drawn:
    """Hidden states in the subspaces of LENS, as `lensbench project` read them (Figure 6).

    Raises:
        UsageError: several runs, or none was read.
    """
    if len(runs) > 1:
        raise UsageError(f"hidden states are shown of one run, here are {len(runs)}")
    projection = read_projection(runs[0], _variant(choice or Choice()))
    labels = labels_for(projection.languages, native=native)
    with styled():
        figure = draw_projection(projection, labels, width)
    return Drawn(figure, _with_fonts(projection_caption(projection), labels))


def pick(runs: Sequence[RunView], choice: Choice | None = None, *, native: bool = False, width: float | None = None) -> Drawn:
    """Development and test items for every setting that could be chosen, and English with its margin.

    Raises:
        UsageError: several runs, or one that chose nothing.
    """
    if len(runs) > 1:
        raise UsageError(f"a choice of settings is shown of one run, here are {len(runs)}")
    panels = pick_panels(runs[0])
    wanted = (choice or Choice()).variants
    if wanted:
        known = [panel.method for panel in panels]
        for name in wanted:
            if name not in known:
                raise unknown_name("method with a choice", name, known)
        panels = [panel for panel in panels if panel.method in wanted]
    with styled():
        figure = draw_picks(panels, width)
    return Drawn(figure, printable(pick_caption(runs[0], panels)))


def figures_for(runs: Sequence[RunView]) -> list[tuple[str, str]]:
    """Every figure that the runs have the cells for, as (caption, SVG): understanding, generation, externals,
    matrices, and hidden states where they were read.

    Raises:
        UnavailableError: matplotlib is not installed.
    """
    drawn: list[Drawn] = []
    drawn += [per_language(runs, kind) for kind in _kinds(runs)]
    if any(facts.external for run in runs for facts in run.results.variants.values()):
        drawn.append(external(runs))
    drawn += [pick([run]) for run in runs if _chose(run)]
    shown = dict.fromkeys(
        (one.task, one.grader.name) for run in runs for one in run.results.matrices if one.matrix.level == "answer"
    )
    drawn += [matrix(runs, task=task, identifier=identifier) for task, identifier in shown]
    drawn += [pca([run]) for run in runs if len(list((run.folder.path / "projections").glob("*.json"))) == 1]
    return [(one.caption, one.svg()) for one in drawn]


def _chose(run: RunView) -> bool:
    picked = run.results.picked
    return picked is not None and any(one.development.delta is not None for one in picked.candidates)


def _bars(panels: Sequence[Panel], labels: dict[str, Label], subject: str, width: float | None) -> Drawn:
    with styled():
        figure = draw_bars(panels, labels, width)
    caption = panels_caption(subject, panels)
    if any(chance_at(panel, place) is not None for panel in panels for place in panel.places):
        caption += " Dashed lines: chance."
    return Drawn(figure, _with_fonts(caption, labels))


def _sweeps(
    runs: Sequence[RunView], sweeps: Sequence[Sweep], choice: Choice, subject: str, native: bool, width: float | None
) -> Drawn:
    scope = Choice(choice.tasks, choice.metrics, choice.languages)
    blocks, columns = blocks_for(runs, _kinds(runs), scope)
    means = mean_blocks(runs, columns) if not choice.tasks and not choice.metrics else []
    if means:
        # The mean of the closed tasks stands for them, as in the paper; single ones are shown when they are named.
        blocks = [*means, *(block for block in blocks if next(iter(block.cells.values())).number.source)]
    place = {(column.run, column.variant): number for number, column in enumerate(columns)}
    rows, shown = [], {}
    for block in blocks:
        row = [_line_panel(runs, block, sweep, place, scope) for sweep in sweeps]
        row = [panel for panel in row if panel.cells]
        if row:
            rows.append(row)
            shown[names_of(block)[0]] = [cell for panel in row for cell in (*panel.cells.values(), *panel.base.values())]
    codes = list(dict.fromkeys(code for row in rows for panel in row for code in panel.languages))
    labels = labels_for(codes, native=native)
    with styled():
        figure = draw_lines(rows, labels, width)
    panels = [panel for row in rows for panel in row]
    ribbons = "Ribbons of single fits are" if any(panel.seeds for panel in panels) else "Ribbons are"
    sentences = [s.replace("Whiskers are", ribbons) for s in cells_sentences(shown) if not s.startswith("▲")]
    if all(panel.all_seeds for panel in panels):
        sentences = [s for s in sentences if not s.startswith(ribbons)]
    dotted = "Dotted: the untouched backbone." if any(panel.base for panel in panels) else ""
    unlike = dict.fromkeys(f"{panel.title} ({', '.join(panel.unlike)})" for panel in panels if panel.unlike)
    if unlike:
        dotted += f" Not drawn where the runs do not agree on it: {', '.join(unlike)}."
    said = [subject, dotted.strip(), *sentences, *_seed_sentences(panels)]
    return Drawn(figure, _with_fonts(" ".join(filter(None, said)), labels))


def _line_panel(
    runs: Sequence[RunView], block: Block, sweep: Sweep, place: dict[tuple[int, str], int], choice: Choice
) -> LinePanel:
    codes = [code for code in languages() if code in block.languages and (not choice.languages or code in choice.languages)]
    codes += [code for code in block.languages if code not in codes and not choice.languages]
    cells = {
        (code, number): block.cells[column, code]
        for code in codes
        for number, (_, run, variant) in enumerate(sweep.points)
        if (column := place[run, variant], code) in block.cells
    }
    base, unlike = {}, []
    for code in codes:
        found = [
            block.cells[place[run, BASE], code]
            for _, run, _ in sweep.points
            if (run, BASE) in place and (place[run, BASE], code) in block.cells
        ]
        if found and all(cell.number.value == found[0].number.value for cell in found):
            base[code] = found[0]
        elif found:
            unlike.append(code)
    title, quantity = names_of(block)
    return LinePanel(title, block.metric.unit, quantity, sweep, codes, cells, base, unlike, _seeds(runs, sweep, codes, cells))


def _seeds(
    runs: Sequence[RunView], sweep: Sweep, codes: Sequence[str], cells: dict[tuple[str, int], BlockCell]
) -> dict[tuple[str, tuple[int, ...]], SeedMean]:
    """(language, points that are seeds of one setting) -> these as one number."""
    found = {}
    for number, run in enumerate(runs):
        at = {variant: point for point, (_, own, variant) in enumerate(sweep.points) if own == number}
        for variants in seeds_beside(run, list(at)):
            for code in codes:
                own = [(at[name], cells[code, at[name]]) for name in variants if (code, at[name]) in cells]
                mean = seed_mean(run, variants, [cell for _, cell in own]) if own else None
                if mean is not None:
                    found[code, tuple(point for point, _ in own)] = mean
    return found


def _seed_sentences(panels: Sequence[LinePanel]) -> list[str]:
    means = [mean for panel in panels for mean in panel.seeds.values()]
    if not means:
        return []
    counts = sorted({len(mean.seeds) for mean in means})
    often = str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    said = [
        f"Rings are single seeds, {often} a setting; the line goes through their means, and its ribbon is the 95% interval of "
        "the difference to base over seeds and items, drawn around the mean."
    ]
    without = dict.fromkeys(panel.title for panel in panels if any(mean.low is None for mean in panel.seeds.values()))
    if without:
        said.append(
            f"Without an interval of seeds and items: {', '.join(without)} (it needs an endpoint and enough source items)."
        )
    return said


def _kinds(runs: Sequence[RunView]) -> list[Kind]:
    sources = {bool(cell.source) for run in runs for cell in run.results.cells}
    kinds: list[Kind] = ["understanding"] if False in sources else []
    return [*kinds, "generation"] if True in sources else kinds


def _variant(choice: Choice) -> str | None:
    if len(choice.variants) > 1:
        raise UsageError(f"``variants``: a sweep is of one, here are {len(choice.variants)}")
    return choice.variants[0] if choice.variants else None


def _backbones(runs: Sequence[RunView]) -> str:
    return ", ".join(dict.fromkeys(run.results.backbone for run in runs))


def _with_fonts(caption: str, labels: dict[str, Label]) -> str:
    return printable(" ".join(filter(None, [caption, missing_fonts(labels)])))

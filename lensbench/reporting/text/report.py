"""`report.md`: the table, answers side by side, what it cost and what it was made with. Rebuilt from the run folder alone."""

from __future__ import annotations

from collections import defaultdict

from lensbench.jsonio import json_text
from lensbench.numbers.run_results import Results
from lensbench.printable import printable
from lensbench.records import write_atomically
from lensbench.reporting.run_view import RunView
from lensbench.reporting.text.answers import answer_lines
from lensbench.reporting.text.cost import COST_HEADER, cost_rows
from lensbench.reporting.text.matrix import matrix_table, with_base
from lensbench.reporting.text.statistics import AVERAGES_HEADER, AVERAGES_NOTE, average_rows
from lensbench.reporting.text.table import notes, table_lines

__all__ = ["write_report"]


def write_report(run: RunView) -> None:
    """Write `report.md` from the results and records of a run."""
    folder, results = run.folder, run.results
    spec = folder.spec()
    signatures = [*(cell.signature for cell in results.cells), *(average.signature for average in results.averages)]
    parts = [
        f"# {spec.title} on {results.backbone}: {', '.join(spec.all_languages)}",
        "",
        _headline(results),
        "",
        *_table(results),
        "",
        *[f"- {_escape(note)}" for note in notes(results)],
        "",
        *_averages(results),
        *_cost(results),
        *_matrices(results),
        *answer_lines(folder, list(results.variants)),
        "## Cells, with signatures",
        "",
        *[f"- `{signature}`" for signature in signatures],
        "",
        "## Made with",
        "",
        "```json",
        json_text(run.starts[-1], indent=1),
        "```",
        "",
    ]
    write_atomically(folder.own("report.md"), printable("\n".join(parts)))


def _headline(results: Results) -> str:
    judged: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for line in table_lines(results):
        if line.verdict:
            judged[line.language][line.verdict].append(f"{line.task} {line.delta}")
    if not judged:
        return "Only the untouched backbone was scored."
    sentences = []
    for language, verdicts in judged.items():
        clauses = [f"{verdict} on {', '.join(tasks)}" for verdict, tasks in sorted(verdicts.items())]
        sentences.append(f"**{language}**: {'; '.join(clauses)}.")
    return " ".join(sentences)


def _table(results: Results) -> list[str]:
    header = [
        "task",
        "language",
        "profile",
        "metric",
        "variant",
        "value",
        "95%",
        "difference",
        "95%",
        "p (Holm)",
        "n",
        "failures",
        "verdict",
    ]
    rows = [
        [
            x.task,
            x.language,
            x.profile,
            x.metric,
            x.variant,
            x.value,
            x.interval,
            x.delta,
            x.delta_interval,
            x.p_value,
            x.n,
            x.failures,
            x.verdict,
        ]
        for x in table_lines(results)
    ]
    return ["| " + " | ".join(row) + " |" for row in (header, ["---"] * len(header), *rows)]


def _averages(results: Results) -> list[str]:
    rows = average_rows(results)
    if not rows:
        return []
    table = [AVERAGES_HEADER, ["---"] * len(AVERAGES_HEADER), *rows]
    return ["## Averages", "", *("| " + " | ".join(map(_escape, row)) + " |" for row in table), "", AVERAGES_NOTE, ""]


def _cost(results: Results) -> list[str]:
    if not results.costs:
        return []
    rows = [list(COST_HEADER), ["---"] * len(COST_HEADER), *cost_rows(results.costs)]
    return ["## What it cost", "", *("| " + " | ".join(row) + " |" for row in rows), ""]


def _matrices(results: Results) -> list[str]:
    """Where the answers went; changes to the base in points beside the enhanced variants."""
    found = [one for one in results.matrices if one.matrix.level == "answer"]
    parts = ["## Where the answers went", ""] if found else []
    for matrix, before in with_base(found):
        title, header, rows = matrix_table(matrix, before)
        parts += [f"{title}; by {matrix.identifier}", ""]
        parts += ["| " + " | ".join(map(_escape, row)) + " |" for row in (header, ["---"] * len(header), *rows)]
        parts.append("")
    return parts


def _escape(text: str) -> str:
    return text.replace("<", "&lt;")

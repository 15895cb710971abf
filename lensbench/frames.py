"""A run as pandas frames: its items, its cells, its averages, and its variants against each other."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from lensbench.errors import UnavailableError
from lensbench.grading.repetition import repetition_share
from lensbench.jsonio import JsonObject, json_text
from lensbench.numbers.average import Average
from lensbench.numbers.cell import Cell
from lensbench.numbers.pairs import Pair
from lensbench.numbers.picking.reported import reported_part
from lensbench.numbers.results import current_results
from lensbench.numbers.run_results import Results, read_results
from lensbench.numbers.seed_groups import SeedGroup
from lensbench.numbers.setting_rows import SETTING_FIELDS, setting_rows
from lensbench.numbers.sweep_table import sweep_table_of
from lensbench.records import AnswerRecord, IdentifiedRecord, ItemRecord, RunFolder, ScoreRecord
from lensbench.records.counting import final_verdicts, graders, last_identified
from lensbench.records.grader import short_names
from lensbench.records.log import write_failed

if TYPE_CHECKING:
    import pandas

__all__ = ["RunFrames", "load", "write_parquet"]


class RunFrames:
    """The frames of one run, made when they are first asked for."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder

    @cached_property
    def content(self) -> JsonObject:
        """Content of `results.json` as the records are now."""
        return current_results(self.folder)

    @cached_property
    def results(self) -> Results:
        """The same as types."""
        return read_results(self.content)

    @cached_property
    def cells(self) -> pandas.DataFrame:
        """One row a cell, with the fields of docs/architecture.md and the `seed` of the variant's fit.

        `states` is JSON text and `leads` is text ("all", "enhanced", "all enhanced" or empty). A cell is exploratory: its verdict
        is "exploratory", or missing where nothing was tested; verdicts are in `averages`.
        """
        rows = [{**cell.as_dict(), "states": json_text(cell.states, sort_keys=True)} for cell in self.results.cells]
        return _frame([self._finished(row) for row in rows], _whole_numbers(Cell))

    @cached_property
    def averages(self) -> pandas.DataFrame:
        """One row an average, with the fields of docs/architecture.md and the `seed` of the variant's fit; `cells` as text.

        Verdicts are in the rows with the role "endpoint" or "language", `retention` in those with the role "english".
        """
        rows = [{**average.as_dict(), "cells": " ".join(average.cells)} for average in self.results.averages]
        return _frame([self._finished(row) for row in rows], _whole_numbers(Average))

    @cached_property
    def pairs(self) -> pandas.DataFrame:
        """One row for each endpoint and each pair of enhanced variants; `delta` is `variant` less `other`. `cells` as text."""
        rows = [{**pair.as_dict(), "cells": " ".join(pair.cells)} for pair in self.results.pairs]
        return _frame(rows, (), [field.name for field in fields(Pair)])

    @cached_property
    def seeds(self) -> pandas.DataFrame:
        """One row for each setting with several seeds on each endpoint, language and English average; lists as text.

        `delta` is the mean over seeds, `deviation` their standard deviation, and the interval is of seeds and items.
        """
        rows = [
            {
                **group.as_dict(),
                "cells": " ".join(group.cells),
                "variants": " ".join(group.variants),
                "seeds": " ".join(map(str, group.seeds)),
            }
            for group in self.results.seed_groups
        ]
        return _frame(rows, ("measured",), [field.name for field in fields(SeedGroup)])

    @cached_property
    def settings(self) -> pandas.DataFrame:
        """One row for each setting on each endpoint, on each of its languages, and in English; its seeds are one.

        Columns: `method`, `setting`, a column for every setting that varies (`METHOD.KEY`), `variants`, `failed` (names as text),
        `role` ("endpoint", "language" or "english"), `language`, `profile`, `metric`, `unit`, `source`, `seeds` (fitted ones),
        `measured` (those with a number), `delta`, `delta_low`, `delta_high`, `covers` ("items", "seeds and items" or empty: what
        the interval is over), `least`, `most` (of the seeds), `better`, `worse` (seeds with that verdict), `margin`, `at_worst`,
        `retention` (English), `front` (of an endpoint: whether the setting is on the Pareto front of gain against English;
        missing where that is not known), `dominated_by` (settings of the front, as text), `why` (what is missing).
        """
        rows = setting_rows(sweep_table_of(self.folder, self.results))
        return _frame(rows, ("seeds", "measured", "better", "worse"), SETTING_FIELDS)

    def _finished(self, row: JsonObject) -> JsonObject:
        facts = self.results.variants.get(row["variant"])
        return {**row, "leads": " ".join(row["leads"]), "seed": facts.seed if facts else None}

    @cached_property
    def items(self) -> pandas.DataFrame:
        """One row for every item, variant and turn.

        Columns: `item`, `task`, `language`, `profile`, `doc_id`, `source` (source item, as text; missing where the row names
        none), `variant`, `seed` (of the variant's fit; missing where nothing was fitted), `turn` (0 where the item was scored by
        log-likelihood), `state`, `prompt`, `gold`; `loglikelihoods` (nats) and `pick` (0-based, missing unless the state is ok);
        `text`, `tokens`, `finish`, `repetition` (share of the answer that repeats itself, 0 to 1); a column a metric: `acc`, or
        of the whole conversation `lf_turn1:IDENTIFIER` and others; `answered:IDENTIFIER`, `probability:IDENTIFIER` (of the label,
        missing of an empty answer) and `rating:JUDGE` (the mean of its repetitions, missing without one). An identifier or judge
        is named by its whole signature where its name stands for several. Of a run that chose a
        setting also `side`, "development" or "test": only test items are in the run's numbers.
        """
        seeds = {name: facts.seed for name, facts in self.results.variants.items()}
        rows = [{**row, "seed": seeds.get(row["variant"])} for row in _rows(self.folder)]
        if self.results.picked is not None:
            tests = {record.key for record in reported_part(self.folder).records(ItemRecord)}
            rows = [{**row, "side": "test" if row["item"] in tests else "development"} for row in rows]
        return _frame(rows, _WHOLE)


def load(path: str | os.PathLike[str]) -> RunFrames:
    """The run in a folder.

    Raises:
        UsageError: there is none.
    """
    return RunFrames(RunFolder.existing(Path(path), lenient=True))


def write_parquet(frames: RunFrames, target: Path) -> list[Path]:
    """Write the items, cells and averages of a run into a folder, and its settings and seeds where it has any.

    A reader never sees half a file.

    Raises:
        UnavailableError: pandas is not installed.
        RunError: a file cannot be written.
    """
    written = []
    found = {"items": frames.items, "cells": frames.cells, "averages": frames.averages}
    further = {"settings": frames.settings, "seeds": frames.seeds}
    found.update({name: frame for name, frame in further.items() if len(frame)})
    for name, frame in found.items():
        path = target / f"{name}.parquet"
        partial = path.with_name(path.name + ".partial")
        try:
            target.mkdir(parents=True, exist_ok=True)
            # A link of this name would be followed, out of the folder as well.
            partial.unlink(missing_ok=True)
            frame.to_parquet(partial, index=False)
            partial.replace(path)
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise write_failed(path, error) from None
        written.append(path)
    return written


_WHOLE = ("doc_id", "seed", "turn", "pick", "tokens")
"""Columns of items that hold whole numbers."""


def _whole_numbers(kind: type[Cell | Average]) -> tuple[str, ...]:
    """Fields that hold whole numbers."""
    return ("seed", *(field.name for field in fields(kind) if field.type in ("int", "int | None")))


def _frame(rows: list[JsonObject], whole: Sequence[str], columns: Sequence[str] | None = None) -> pandas.DataFrame:
    """Rows as a frame.

    Args:
        whole: Columns of whole numbers; they stay whole where some rows have none.
        columns: All columns, for a frame that may have no rows.
    """
    try:
        import pandas
    except ImportError:
        raise UnavailableError("frames need pandas, which is not installed", "pip install 'lensbench[report]'") from None
    frame = pandas.DataFrame(rows, columns=columns if not rows else None)
    return frame.astype({name: "Int64" for name in whole if name in frame.columns})


def _rows(folder: RunFolder) -> Iterator[JsonObject]:
    asked = {record.key: record for record in folder.records(ItemRecord)}
    for score in folder.records(ScoreRecord):
        yield {**_about(score, 0, asked), "turn": 0, "loglikelihoods": score.loglikelihoods, "pick": score.pick, **score.metrics}
    name_of = short_names(graders(folder))
    labels: dict[str, JsonObject] = defaultdict(dict)
    metrics: dict[tuple[str, str], dict[str, float | None]] = defaultdict(dict)
    for (identifier, item, variant), record in last_identified(folder.records(IdentifiedRecord)).items():
        name = name_of[identifier]
        metrics[item, variant].update({f"{metric}:{name}": value for metric, value in record.metrics.items()})
        for turn in record.turns:
            labels[turn.answer] |= {f"answered:{name}": turn.cell, f"probability:{name}": turn.probability}
    ratings: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for verdict in final_verdicts(folder):
        if verdict.rating is not None and verdict.state == "ok":
            ratings[verdict.answer][f"rating:{name_of[verdict.judge]}"].append(verdict.rating)
    for answer in folder.records(AnswerRecord):
        yield {
            **_about(answer, answer.turn, asked),
            "turn": answer.turn,
            "text": _storable(answer.text),
            "tokens": answer.tokens,
            "finish": answer.finish,
            "repetition": repetition_share(answer.parts.answer),
            **metrics[answer.item, answer.variant],
            **labels[answer.key],
            **{judge: sum(values) / len(values) for judge, values in ratings[answer.key].items()},
        }


def _about(record: ScoreRecord | AnswerRecord, turn: int, asked: Mapping[str, ItemRecord]) -> JsonObject:
    item = asked.get(record.item)
    return {
        "item": record.item,
        "task": record.task,
        "language": record.language,
        "profile": record.profile,
        "doc_id": item.doc_id if item else None,
        "source": None if item is None or item.source is None else _storable(_source(item.source)),
        "variant": record.variant,
        "seed": None,
        "state": record.state,
        "prompt": _storable(_prompt(item, turn) if item else None),
        "gold": None if item is None or item.gold is None else _storable(str(item.gold)),
    }


def _source(source: str | float) -> str:
    """Equal source items are equal texts, whatever a file made of a whole number."""
    return str(int(source)) if isinstance(source, float) and source.is_integer() else str(source)


def _prompt(item: ItemRecord, turn: int) -> str | None:
    """The user's text of a turn; otherwise the context of the first request."""
    if 0 < turn <= len(item.turns):
        return item.turns[turn - 1]
    return item.requests[0][0] if item.requests else None


def _storable(text: str | None) -> str | None:
    """Halves of surrogate pairs, which no Parquet file can hold, as U+FFFD."""
    return None if text is None else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")

"""A run as pandas frames: one of its items, one of its cells."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lensbench.errors import UnavailableError
from lensbench.jsonio import json_text
from lensbench.metrics import likeliest
from lensbench.numbers.read_metrics import final_verdicts
from lensbench.numbers.results import current_results
from lensbench.records import RunFolder
from lensbench.records.log import write_failed

if TYPE_CHECKING:
    import pandas

__all__ = ["RunFrames", "load", "write_parquet"]


class RunFrames:
    """The frames of one run, made when they are first asked for."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder

    @cached_property
    def results(self) -> dict[str, Any]:
        """`results.json` as the records are now."""
        return current_results(self.folder)

    @cached_property
    def cells(self) -> pandas.DataFrame:
        """One row a cell, with the fields of docs/architecture.md; `states` as JSON text."""
        rows = [{**cell, "states": json_text(cell["states"], sort_keys=True)} for cell in self.results["cells"]]
        return _frame(rows)

    @cached_property
    def items(self) -> pandas.DataFrame:
        """One row for every item, variant and turn.

        Columns: `item`, `task`, `language`, `profile`, `doc_id`, `variant`, `turn` (0 where the item was scored by
        log-likelihood), `state`, `prompt`, `gold`; `loglikelihoods` (nats) and `pick` (0-based, missing unless the state is ok);
        `text`, `tokens`, `finish`; a column a metric: `acc`, or of the whole conversation `lf_turn1:IDENTIFIER` and others;
        `answered:IDENTIFIER` and `rating:JUDGE` (the mean of its repetitions, missing without one). An identifier or judge is
        named by its whole signature where its name stands for several.
        """
        return _frame(list(_rows(self.folder)))


def load(path: str | os.PathLike[str]) -> RunFrames:
    """The run in a folder.

    Raises:
        UsageError: there is none.
    """
    return RunFrames(RunFolder.existing(Path(path), lenient=True))


def write_parquet(frames: RunFrames, target: Path) -> list[Path]:
    """Write `items.parquet` and `cells.parquet` into a folder; a reader never sees half a file.

    Raises:
        UnavailableError: pandas is not installed.
        RunError: a file cannot be written.
    """
    written = []
    for name, frame in (("items", frames.items), ("cells", frames.cells)):
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


def _frame(rows: list[dict[str, Any]]) -> pandas.DataFrame:
    try:
        import pandas
    except ImportError:
        raise UnavailableError("frames need pandas, which is not installed", "pip install 'lensbench[report]'") from None
    return pandas.DataFrame(rows)


def _rows(folder: RunFolder) -> Iterator[dict[str, Any]]:
    asked = {record["key"]: record for record in folder.records("items")}
    for record in folder.records("score"):
        lls = record["loglikelihoods"]
        yield {
            **_about(record, asked),
            "turn": 0,
            "loglikelihoods": lls,
            "pick": likeliest(lls) if record["state"] == "ok" else None,
            **record["metrics"],
        }
    name_of = _short_names(folder)
    labels: dict[str, dict[str, str]] = defaultdict(dict)
    metrics: dict[tuple[str, str], dict[str, float | None]] = defaultdict(dict)
    for record in folder.records("identified"):
        name = name_of[record["identifier"]]
        found = {f"{metric}:{name}": value for metric, value in record["metrics"].items()}
        metrics[record["item"], record["variant"]].update(found)
        for turn in record.get("turns", ()):
            labels[turn["answer"]][f"answered:{name}"] = turn["cell"]
    ratings: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for record in final_verdicts(folder):
        if record["state"] == "ok":
            ratings[record["answer"]][f"rating:{name_of[record['judge']]}"].append(record["rating"])
    for record in folder.records("answers"):
        yield {
            **_about(record, asked),
            "turn": record["turn"],
            "text": _storable(record["text"]),
            "tokens": record.get("tokens"),
            "finish": record.get("finish"),
            **metrics[record["item"], record["variant"]],
            **labels[record["key"]],
            **{judge: sum(values) / len(values) for judge, values in ratings[record["key"]].items()},
        }


def _short_names(folder: RunFolder) -> dict[str, str]:
    """Identifiers and judges by signature: the name alone where it stands for one of them, else the whole signature."""
    signatures = {record["identifier"] for record in folder.records("identified")}
    signatures |= {record["judge"] for record in final_verdicts(folder)}
    names = Counter(signature.partition(":")[0] for signature in signatures)
    return {s: s.partition(":")[0] if names[s.partition(":")[0]] == 1 else s for s in signatures}


def _about(record: dict[str, Any], asked: dict[str, dict[str, Any]]) -> dict[str, Any]:
    item = asked.get(record["item"], {})
    requests = item.get("requests") or [[None, None]]
    turns = item.get("turns")
    prompt = turns[record["turn"] - 1] if turns and 0 < record.get("turn", 0) <= len(turns) else requests[0][0]
    return {
        "item": record["item"],
        "task": record["task"],
        "language": record["language"],
        "profile": record["profile"],
        "doc_id": item.get("doc_id"),
        "variant": record["variant"],
        "state": record["state"],
        "prompt": _storable(prompt),
        "gold": _storable(item.get("gold")),
    }


def _storable(text: str | None) -> str | None:
    """Halves of surrogate pairs, which no Parquet file can hold, as U+FFFD."""
    return None if text is None else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")

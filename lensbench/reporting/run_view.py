"""One run as every view reads it: its results, its records, and what is known of how it was made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from lensbench.errors import RunError
from lensbench.jsonio import JsonObject
from lensbench.languages import CENTRAL, UNKNOWN
from lensbench.metrics import metric_of
from lensbench.numbers.average import Average
from lensbench.numbers.cell import Cell
from lensbench.numbers.picking.reported import reported_part
from lensbench.numbers.results import current_results
from lensbench.numbers.run_results import Results, read_results
from lensbench.numbers.sweep_table import SweepTable, sweep_table_of
from lensbench.records import Record, RunFolder, TaskKey
from lensbench.records.damage import Damage
from lensbench.records.described import TaskFacts
from lensbench.records.fit_card import FitCard
from lensbench.spec import BASE

__all__ = ["RunView"]

R = TypeVar("R", bound=Record)


@dataclass(frozen=True, eq=False)
class RunView:
    """One run, read once; nothing of it changes and nothing is decided here.

    Attributes:
        folder: Its records are those of the items that the results are of: without the items that chose a setting.
        label: What views of several runs call it; "" where it is the only one.
    """

    folder: RunFolder
    results: Results
    label: str = ""

    @classmethod
    def of(cls, folder: RunFolder, label: str = "") -> RunView:
        """The run in a folder, with its results as the records are now.

        Raises:
            UsageError: the run has not begun to score.
            RunError: its records cannot be read and there are no stored results either.
        """
        return cls(reported_part(folder), read_results(current_results(folder)), label)

    @property
    def name(self) -> str:
        """How messages call it: the folder as the user named it."""
        return str(self.folder.path)

    @property
    def short(self) -> str:
        """What rows and sections call it."""
        return self.label or Path(self.name).name

    @property
    def title(self) -> str:
        """The enhanced variants on the backbone."""
        enhanced = [name for name in self.results.variants if name != BASE]
        return f"{' + '.join(enhanced) or 'Base only'} on {self.results.backbone}"

    @cached_property
    def finished(self) -> bool:
        """Whether the run got to its end: results are stored, and nothing that was planned is missing."""
        return (
            not self.results.missing
            and self.folder.has("results.json")
            and all(cell.n >= cell.planned for cell in self.results.cells)
        )

    @property
    def damage(self) -> list[Damage]:
        """What was left out of the run's item files."""
        return self.folder.damage

    def records(self, kind: type[R]) -> Iterator[R]:
        """Records of one kind."""
        return self.folder.records(kind)

    @cached_property
    def starts(self) -> list[JsonObject]:
        """What each start of the run was made with, as `provenance.json` has it; empty where it is not recorded."""
        return list(self.folder.read_json("provenance.json")["starts"]) if self.folder.has("provenance.json") else []

    @cached_property
    def judgings(self) -> list[JsonObject]:
        """What each judging asked and cost, as `judging.json` has it."""
        found = self.folder.read_json("judging.json") if self.folder.has("judging.json") else []
        return found if isinstance(found, list) else [found]

    @cached_property
    def cards(self) -> dict[str, FitCard]:
        """Variant -> the card of its fit."""
        cards = {name: self.folder.card(name) for name in self.results.variants}
        return {name: FitCard.of(card) for name, card in cards.items() if card is not None}

    @cached_property
    def targets(self) -> tuple[str, ...]:
        """Target languages; those of its tasks, where the spec does not say. `und`, of lm-eval's results, is no language.

        Raises:
            RunError: `run.json` is not as lensbench writes it.
        """
        named = self._spec.get("languages") or [key.language for key in self.results.tasks]
        return tuple(code for code in dict.fromkeys(named) if code not in (CENTRAL, UNKNOWN))

    @property
    def backbone_key(self) -> str:
        """What two runs of one backbone share: the digest of its weights, and how they were held."""
        return f"{self.results.backbone_origin.get('digest', self.results.backbone)}|{self.results.dtype}"

    @cached_property
    def variants(self) -> list[str]:
        """The base first, then in the order of the run."""
        return sorted(self.results.variants, key=lambda name: name != BASE)

    def method(self, variant: str) -> str:
        """The method of a variant; its own name where it has none."""
        facts = self.results.variants.get(variant)
        return str((facts.method if facts else None) or variant)

    def digest(self, variant: str) -> str:
        facts = self.results.variants.get(variant)
        return variant if facts is None or facts.digest is None else facts.digest

    def config(self, variant: str) -> dict[str, object]:
        """The method's configuration, with blocks counted from the end resolved where the card says which they are."""
        card = self.cards.get(variant, FitCard())
        listed = self._spec.get("methods")
        fitted = [entry for entry in listed if isinstance(entry, Mapping)] if isinstance(listed, list) else []
        chosen = next((entry for entry in fitted if entry.get("name", entry.get("method")) == variant), {})
        told = card.config or chosen.get("config")
        config: dict[str, object] = dict(told) if isinstance(told, Mapping) else {}
        if isinstance(config.get("start_layer"), str) and card.first_changed_layer is not None:
            config["start_layer"] = card.first_changed_layer + 1
        return config

    def task(self, task: str, language: str) -> TaskFacts | None:
        """What is known of a task in a language; None where the run did not ask it."""
        return self.results.tasks.get(TaskKey(task, language))

    def profile_of(self, cell: Cell) -> str:
        """The profile a number was asked under, or the one in whose place it may stand (`stands_for` of its own)."""
        facts = self.results.tasks.get(cell.key)
        stands_for = facts.stands_for if facts is not None and facts.profile == cell.profile else None
        return stands_for or cell.profile

    def gap(self, task: str, language: str) -> str | None:
        """Why the run has no such task, in its own words."""
        return next((gap for gap in self.results.gaps if gap.startswith(f"{task} ") and f"'{language}'" in gap), None)

    @cached_property
    def sweep_table(self) -> SweepTable:
        """The settings of the run with their numbers, seeds of a setting as one."""
        return sweep_table_of(self.folder, self.results)

    @cached_property
    def averages_of(self) -> dict[str, list[Average]]:
        """Variant -> its averages."""
        found: dict[str, list[Average]] = {}
        for average in self.results.averages:
            found.setdefault(average.variant, []).append(average)
        return found

    def tested_instead(self, cell: Cell) -> str:
        """The metric that was tested of the same answers, for a difference that was not; "" where none was or this one was."""
        if cell.delta is None or cell.p_value is not None:
            return ""
        unit = metric_of(cell).unit
        alike = (other for other in self._by_place[_place(cell)] if metric_of(other).unit == unit)
        return next((other.metric for other in alike if other.p_value is not None), "")

    @cached_property
    def _by_place(self) -> dict[tuple[str, ...], list[Cell]]:
        """Cells of one variant in one place, by one grader."""
        found: dict[tuple[str, ...], list[Cell]] = {}
        for cell in self.results.cells:
            found.setdefault(_place(cell), []).append(cell)
        return found

    @cached_property
    def machines(self) -> tuple[str, ...]:
        """What it ran on, one name for each start that differs."""
        return tuple(dict.fromkeys(map(_machine, self.starts)))

    @cached_property
    def _spec(self) -> Mapping[str, Any]:
        """`spec` of `run.json` as it stands there, be it of another version; empty where there is none.

        Raises:
            RunError: it is not as lensbench writes it.
        """
        if not self.folder.has("run.json"):
            return {}
        path, content = f"{self.folder.path}/run.json", self.folder.read_json("run.json")
        if not isinstance(content, dict):
            raise RunError(f"{path}: an object was expected", "Take it from a copy of the run.")
        spec = content.get("spec", {})
        codes = spec.get("languages", ()) if isinstance(spec, dict) else None
        if not isinstance(codes, list | tuple) or not all(isinstance(code, str) for code in codes):
            raise RunError(f"{path}: its spec names no languages", "Take it from a copy of the run.")
        return dict(spec)


def _place(cell: Cell) -> tuple[str, ...]:
    return cell.task, cell.language, cell.profile, cell.variant, cell.source


def _machine(start: Mapping[str, Any]) -> str:
    accelerators = [str(name) for name in start.get("accelerators", ())]
    if accelerators and start.get("device", "cuda") != "cpu":
        counted = {name: accelerators.count(name) for name in dict.fromkeys(accelerators)}
        return " + ".join(f"{count} x {name}" if count > 1 else f"one {name}" for name, count in counted.items())
    cores, cpu = start.get("cores"), start.get("cpu")
    return f"{cores or 'unknown number of'} CPU cores ({cpu or 'unknown processor'})"

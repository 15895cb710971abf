"""A run as the tables read it: its results, its spec and its cards, tolerant of what older runs lack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from lensbench.languages import CENTRAL, UNKNOWN
from lensbench.metrics import metric_of
from lensbench.papers import CellFacts, RunFacts
from lensbench.papers.facts import NOT_RECORDED
from lensbench.records import TaskKey

__all__ = ["BASE", "TableRun"]

BASE = "base"


@dataclass(frozen=True)
class TableRun:
    """One run.

    Attributes:
        name: How messages call it: the folder as the user named it.
        label: What stands before its variants where several runs share a section; "" for a single run.
        results: Content of `results.json`.
        spec: `spec` of `run.json`, as it stands there.
        starts: `starts` of `provenance.json`.
        cards: Variant -> `card.json` of its enhancement.
    """

    name: str
    label: str
    results: Mapping[str, Any]
    spec: Mapping[str, Any] = field(default_factory=dict)
    starts: Sequence[Mapping[str, Any]] = ()
    cards: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def short(self) -> str:
        """What rows and sections call it."""
        return self.label or Path(self.name).name

    @cached_property
    def targets(self) -> tuple[str, ...]:
        """Target languages; those of its tasks, where the spec does not say. `und`, of lm-eval's results, is no language."""
        named = self.spec.get("languages") or [TaskKey.parse(key).language for key in self.results["tasks"]]
        return tuple(code for code in dict.fromkeys(named) if code not in (CENTRAL, UNKNOWN))

    @property
    def backbone(self) -> str:
        return str(self.results["backbone"])

    @cached_property
    def backbone_key(self) -> str:
        """What two runs of one backbone share: the digest of its weights, and how they were held."""
        origin = self.results.get("backbone_origin") or {}
        return f"{origin.get('digest', self.backbone)}|{self.results.get('dtype')}"

    @cached_property
    def cells(self) -> list[Mapping[str, Any]]:
        return list(self.results["cells"])

    @cached_property
    def averages(self) -> list[Mapping[str, Any]]:
        return list(self.results.get("averages", ()))

    @cached_property
    def averages_of(self) -> dict[str, list[Mapping[str, Any]]]:
        """Variant -> its averages."""
        found: dict[str, list[Mapping[str, Any]]] = {}
        for average in self.averages:
            found.setdefault(str(average["variant"]), []).append(average)
        return found

    @cached_property
    def _by_place(self) -> dict[tuple[Any, ...], list[Mapping[str, Any]]]:
        """Cells of one variant in one place, by one grader."""
        found: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
        for cell in self.cells:
            found.setdefault(_place(cell), []).append(cell)
        return found

    def tested_instead(self, cell: Mapping[str, Any]) -> str:
        """The metric that was tested of the same answers, for a difference that was not; "" where none was or this one was."""
        if cell.get("delta") is None or cell.get("p_holm") is not None:
            return ""
        others = (c for c in self._by_place.get(_place(cell), ()) if metric_of(c).unit == metric_of(cell).unit)
        return next((str(c["metric"]) for c in others if c.get("p_holm") is not None), "")

    @cached_property
    def variants(self) -> dict[str, Mapping[str, Any]]:
        """Variant -> what is known of it; the base first, then in the order of the run."""
        found = dict(self.results["variants"])
        return {name: found[name] for name in sorted(found, key=lambda name: name != BASE)}

    @property
    def failed(self) -> Mapping[str, str]:
        return self.results.get("failed") or {}

    def about(self, task: str, language: str) -> Mapping[str, Any] | None:
        """What is known of a task in a language; None where the run did not ask it."""
        found: Mapping[str, Any] | None = self.results["tasks"].get(str(TaskKey(task, language)))
        return found

    def profile_of(self, cell: Mapping[str, Any]) -> str:
        """The profile a number was asked under, or the one in whose place it may stand (`stands_for` of its own)."""
        about = self.about(cell["task"], cell["language"]) or {}
        return str((about.get("profile") == cell["profile"] and about.get("stands_for")) or cell["profile"])

    def gap(self, task: str, language: str) -> str | None:
        """Why the run has no such task, in its own words."""
        found = [gap for gap in self.results.get("gaps", ()) if gap.startswith(f"{task} ") and f"'{language}'" in gap]
        return found[0] if found else None

    def digest(self, variant: str) -> str:
        return str(self.variants.get(variant, {}).get("digest", variant))

    def method(self, variant: str) -> str:
        return str(self.variants.get(variant, {}).get("method") or variant)

    def config(self, variant: str) -> dict[str, Any]:
        """The method's configuration, with blocks counted from the end resolved where the card says which they are."""
        card = self.cards.get(variant, {})
        listed = self.spec.get("methods")
        fitted = [entry for entry in listed if isinstance(entry, Mapping)] if isinstance(listed, list) else []
        chosen = next((entry for entry in fitted if entry.get("name", entry.get("method")) == variant), {})
        told = card.get("config") or chosen.get("config")
        config = dict(told) if isinstance(told, Mapping) else {}
        first = card.get("first_changed_layer")
        if isinstance(config.get("start_layer"), str) and isinstance(first, int):
            config["start_layer"] = first + 1
        return config

    def title(self, variant: str, titles: Mapping[str, str]) -> str:
        """What a row of the variant is called.

        Args:
            titles: Titles by variant or method, as a table's file has them: `lens: LENS` calls `lens[seed=1]` LENS[seed=1].
        """
        method = self.method(variant)
        if variant in titles or method not in titles or not variant.startswith(f"{method}["):
            return titles.get(variant, variant)
        return titles[method] + variant.removeprefix(method)

    def place(self, variant: str, titles: Mapping[str, str]) -> int:
        """Where its row stands: by the order of the titles, with the variants of one method together."""
        order = list(titles)
        known = next((name for name in (variant, self.method(variant)) if name in titles), None)
        return len(order) if known is None else order.index(known)

    @cached_property
    def machines(self) -> tuple[str, ...]:
        """What it ran on, one name for each start that differs."""
        return tuple(dict.fromkeys(_machine(start) for start in self.starts))

    @cached_property
    def facts(self) -> RunFacts:
        return RunFacts(self.backbone, self.results.get("backbone_origin") or {}, self.targets, self.machines)

    def cell_facts(self, cell: Mapping[str, Any]) -> CellFacts:
        """One number with its provenance."""
        variant = cell["variant"]
        about = self.about(cell["task"], cell["language"]) or {}
        return CellFacts(
            self.facts,
            self.method(variant),
            bool(self.variants.get(variant, {}).get("method")),
            cell["task"],
            cell["language"],
            metric_of(cell),
            self.profile_of(cell),
            str(cell.get("source") or ""),
            cell["value"],
            cell.get("low"),
            cell.get("high"),
            n=cell["n"],
            planned=cell.get("planned", cell["n"]),
            failures=cell.get("failures", 0),
            rows=about.get("origin"),
            substitute=about.get("substitute"),
            wording=about.get("wording", NOT_RECORDED),
            cut=about.get("max_new_tokens"),
            config=self.config(variant),
            learned_from=tuple(self.cards.get(variant, {}).get("data", ())),
            remark=self.variants.get(variant, {}).get("note"),
        )


def _place(cell: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(cell.get(key) for key in ("task", "language", "profile", "variant", "source"))


def _machine(start: Mapping[str, Any]) -> str:
    accelerators = [str(name) for name in start.get("accelerators", ())]
    if accelerators and start.get("device", "cuda") != "cpu":
        counted = {name: accelerators.count(name) for name in dict.fromkeys(accelerators)}
        return " + ".join(f"{count} x {name}" if count > 1 else f"one {name}" for name, count in counted.items())
    cores, cpu = start.get("cores"), start.get("cpu")
    return f"{cores or 'unknown number of'} CPU cores ({cpu or 'unknown processor'})"

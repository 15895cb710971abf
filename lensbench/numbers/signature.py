"""Signature of a number: one line that can be pasted into a paper."""

from __future__ import annotations

from lensbench.jsonio import JsonObject
from lensbench.metrics import Metric
from lensbench.numbers.pair import DRAWS, SEED
from lensbench.numbers.picking.kept import read_pick
from lensbench.numbers.picking.sides import SPLIT_VERSION
from lensbench.numbers.read_metrics import MetricSeries
from lensbench.records import RunFolder

__all__ = ["RunIdentity", "average_signature", "cell_signature"]

_VERSIONS = ("torch", "transformers", "lm_eval")


class RunIdentity:
    """What all numbers of a run have in common: model, seeds, versions.

    Attributes:
        about: Content of `variants.json`.
    """

    def __init__(self, folder: RunFolder) -> None:
        self.about: JsonObject = folder.read_json("variants.json")
        self._seed = folder.spec().seed if folder.has("run.json") else None
        kept = read_pick(folder)
        self._items = [] if kept is None else [f"items:test:{kept.rule.text}:{SPLIT_VERSION}"]
        starts = folder.read_json("provenance.json")["starts"] if folder.has("provenance.json") else []
        # A run that went on under other versions was made with all of them.
        self._versions = {
            name: "+".join(dict.fromkeys(s["packages"][name] for s in starts if name in s.get("packages", {})))
            for name in _VERSIONS
        }

    def of(self, variant: str) -> list[str]:
        return [
            f"w:{self.about['backbone_digest'][:24]}",
            f"e:{self.about['variants'][variant]['digest'][:12]}",
            f"dtype:{self.about.get('dtype')}",
            *self._own_seed(variant),
        ]

    def _own_seed(self, variant: str) -> list[str]:
        """The seed that a variant was fitted with, where that is not the run's."""
        seed = self.about["variants"][variant].get("seed")
        return [] if seed in (None, self._seed) else [f"fit-seed:{seed}"]

    def tail(self, draws: int = DRAWS) -> list[str]:
        return [
            f"bs:{draws}",
            f"s:{SEED}",
            *([f"seed:{self._seed}"] if self._seed is not None else []),
            *self._items,
            f"lensbench:{self.about['lensbench']}",
            *(f"{name}:{version}" for name, version in self._versions.items() if version),
        ]


def cell_signature(made: RunIdentity, series: MetricSeries, n: int, clusters: int) -> str:
    """Task, language, protocol, rows, items, metric, weights, enhancement, dtype, identifier or judge, seeds, versions."""
    key = series.key
    asked = made.about["tasks"][str(key)]
    parts = [
        f"{key.task}:{key.language}",
        f"v{asked['version']}",
        f"p:{key.profile}:{asked['protocol']}",
        f"rows:{asked['rows']}",
        f"n:{n}",
        f"clusters:{clusters}",
        f"m:{series.metric.name}",
        *made.of(series.variant),
        *_grader(series.metric, series.grader),
        *made.tail(),
    ]
    return "|".join(parts)


def average_signature(
    made: RunIdentity, variant: str, *, name: str, cells: list[str], n: int, metric: Metric, grader: str, draws: int
) -> str:
    """The cells with their protocols and rows, and the rest as in the signature of a cell."""
    asked = [f"{cell}:v{t['version']}:{t['protocol']}:{t['rows']}" for cell in cells for t in (made.about["tasks"][cell],)]
    parts = [f"mean:{name}", *asked, f"n:{n}", f"m:{metric.name}", *made.of(variant), *_grader(metric, grader), *made.tail(draws)]
    return "|".join(parts)


def _grader(metric: Metric, grader: str) -> list[str]:
    return [f"{metric.basis.signature}:{grader}"] if grader else []

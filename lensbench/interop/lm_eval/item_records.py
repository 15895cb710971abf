"""Samples of lm-eval as records of a run, and its bare numbers as cells."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lensbench.datasets.rows import canonical_json, row_hash
from lensbench.interop.lm_eval.reading import LmEvalTask
from lensbench.interop.lm_eval.samples import LmEvalSample
from lensbench.jsonio import JsonObject
from lensbench.metrics import SCORES, MetricName, metric_as, told_direction
from lensbench.numbers.cell import Cell
from lensbench.records import ItemRecord, ScoreRecord, TaskKey
from lensbench.tasks.lm_eval_names import NamedTask

__all__ = ["Asked", "given_cells", "identity", "item_record", "score_record", "settings", "share_metrics"]

_PROFILE = "lm-eval"
_Z = 1.959963984540054
_INVALID = "[invalid]"
"""Result of lm-eval's filters for a text in which they find no answer."""
_ROUNDING = 1e-6
_NO_SHARE = frozenset(
    (
        "perplexity",
        "weighted_perplexity",
        "word_perplexity",
        "byte_perplexity",
        "bits_per_byte",
        "bleu",
        "chrf",
        "ter",
        "mcc",
        "brier_score",
        "likelihood_diff",
        "loglikelihood",
    )
)
"""Metrics and aggregations of lm-eval whose numbers are no share of anything, also where they lie between 0 and 1."""
_CONFIG = (
    "doc_to_text",
    "doc_to_choice",
    "doc_to_target",
    "description",
    "target_delimiter",
    "fewshot_delimiter",
    "gen_prefix",
    "output_type",
    "generation_kwargs",
    "filter_list",
    "metric_list",
)
"""Keys of a task's configuration that decide its prompts and scores."""
_SCORING = ("output_type", "generation_kwargs", "filter_list")
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
"""Where a function lay in memory: lm-eval writes it where it finds no source, and it is another in every process."""


@dataclass(frozen=True)
class Asked:
    """One task of one model, at its place in the run."""

    variant: str
    place: NamedTask
    task: LmEvalTask

    @property
    def key(self) -> TaskKey:
        return TaskKey(self.place.task, self.place.language, _PROFILE)


def settings(task: LmEvalTask) -> dict[str, str]:
    """How a task is asked and scored: setting -> canonical JSON. Tasks that differ in one are not the same task."""
    found = {**{name: task.config.get(name) for name in _CONFIG}, "num_fewshot": task.num_fewshot, "version": task.version}
    return {name: _ADDRESS.sub("", canonical_json(value)) for name, value in found.items()}


def identity(sample: LmEvalSample) -> tuple[Any, ...]:
    """Row number, hashes of document, prompt and target, and one of all requests.

    lm-eval's hash of the prompt is of the first context alone: not of options, nor of how text is to be generated.
    """
    return (sample.doc_id, *sample.hashes, row_hash(_ADDRESS.sub("", canonical_json(sample.arguments))))


def share_metrics(task: LmEvalTask) -> tuple[list[str], list[str]]:
    """The metrics (`METRIC,FILTER`) that are a share of 0 to 1 on every item that has one, and those that are not."""
    names = list(dict.fromkeys(name for sample in task.samples or () for name in sample.metrics))
    shares = [
        name
        for name in names
        if is_share(name, task)
        and all(_is_share(v) or _is_missing(v) for sample in task.samples or () if (v := sample.metrics.get(name)) is not None)
    ]
    return shares, [name for name in names if name not in shares]


def is_share(name: str, task: LmEvalTask) -> bool:
    """Whether a metric (`METRIC,FILTER`) may be a share, by what the file says: a bit per byte of 0.9 is none."""
    metric = MetricName.of_lm_eval(name).metric
    listed = task.config.get("metric_list")
    entries = [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
    told = {str(entry.get("metric")): str(entry.get("aggregation")) for entry in entries}
    return metric not in _NO_SHARE and told.get(metric) not in _NO_SHARE


def item_record(asked: Asked, sample: LmEvalSample) -> ItemRecord:
    """The question; equal keys are the same document, requests and target, scored alike, at the same place of the run."""
    told, same = settings(asked.task), identity(sample)
    return ItemRecord(
        key=row_hash([_PROFILE, asked.task.name, asked.place.task, asked.place.language, *same, *(told[k] for k in _SCORING)]),
        task=asked.place.task,
        language=asked.place.language,
        profile=_PROFILE,
        doc_id=sample.doc_id,
        row=row_hash(same),
        doc=sample.doc,
        requests=sample.requests,
        gold=sample.target,
        turns=() if sample.answers else (sample.requests[0][0],),
    )


def score_record(asked: Asked, sample: LmEvalSample, item: str, metrics: Sequence[str]) -> ScoreRecord:
    """What the model made of it. The state says what lm-eval's number rests on:

    Filters have a state each (`states`) where these differ.

    `ok`: log-likelihoods. `generated`: a text that the filters found an answer in. `no_match`: one they found none in; lm-eval
    counts it as wrong, and so does the mean. `not_finite`: a log-likelihood or metric that is no number; it has no score.
    """
    found = {name: sample.metrics.get(name) for name in metrics}
    filters = dict.fromkeys(MetricName.of_lm_eval(name).filter for name in sample.metrics) or {"none": None}
    # lm-eval asks each choice a second time, without the question, for this metric.
    half = any(name.startswith("acc_mutual_info,") for name in sample.metrics)
    answers = sample.answers[: len(sample.answers) // 2] if half else sample.answers
    finite = all(math.isfinite(ll) for ll, _ in answers)
    states = {}
    for kept in filters:
        own = [value for name, value in found.items() if MetricName.of_lm_eval(name).filter == kept]
        if not finite or any(_is_missing(value) for value in own):
            states[kept] = "not_finite"
        elif answers:
            states[kept] = "ok"
        else:
            # What one filter finds nothing in, another may read.
            states[kept] = "no_match" if sample.texts.get(kept) == _INVALID else "generated"
    state = next((s for s in ("ok", "generated", "no_match") if s in states.values()), "not_finite")
    return ScoreRecord(
        key=row_hash([item, asked.variant]),
        item=item,
        variant=asked.variant,
        task=asked.place.task,
        language=asked.place.language,
        profile=_PROFILE,
        state=state,
        metrics={
            str(name): float(value)
            for name, value in ((MetricName.of_lm_eval(n), v) for n, v in found.items())
            if value is not None and states.get(name.filter) != "not_finite"
        },
        states=states if len(set(states.values())) > 1 else {},
        loglikelihoods=[ll if math.isfinite(ll) else None for ll, _ in answers],
        greedy=[greedy for _, greedy in answers],
        texts=sample.texts,
    )


def given_cells(asked: Sequence[Asked], tasks: Mapping[str, Mapping[str, Any]], notes: list[str]) -> list[JsonObject]:
    """Cells of tasks without samples, with lm-eval's numbers and 1.96 of its standard errors to both sides.

    Notes them, and every mean of samples that is not lm-eval's number.
    """
    cells = []
    for one in asked:
        where = str(one.key)
        numbers = {name: value for name, value in one.task.numbers.items() if "_stderr," not in name}
        if one.task.samples is None:
            shares = {name: value for name, value in numbers.items() if 0 <= value <= 1 and is_share(name, one.task)}
            cells += [_given(one, name, value, tasks[where]) for name, value in shares.items()]
            others = f" of this evaluation (there are {', '.join(one.task.passed_over)})" if one.task.passed_over else ""
            told = (
                f"items of {one.variant} on {where}: no samples were found{others}; lm-eval's numbers stand without differences"
            )
            left = [name for name in numbers if name not in shares]
            notes.append(told + (f"; {', '.join(left)} left out (no share)" if left else ""))
            continue
        for name in share_metrics(one.task)[0]:
            values = [s.metrics[name] for s in one.task.samples if s.metrics.get(name) is not None]
            mean = float(np.mean(values)) if values else math.nan
            if name in numbers and not abs(mean - numbers[name]) <= _ROUNDING:
                notes.append(
                    f"lm-eval's own {name} of {one.variant} on {where}: it gives {numbers[name]:.4f}, the mean of its samples is "
                    f"{mean:.4f}, which is shown"
                )
    return cells


def _given(one: Asked, name: str, value: float, about: Mapping[str, Any]) -> JsonObject:
    named = MetricName.of_lm_eval(name)
    error = one.task.numbers.get(f"{named.metric}_stderr,{named.filter}")
    known = error is not None and math.isfinite(error)
    spread = _Z * error if known and error is not None else 0.0
    measured = told_direction(metric_as(str(named), SCORES), one.task.higher_is_better)
    unit = measured.unit
    parts = (
        f"{one.place.task}:{one.place.language}",
        f"v{one.task.version}",
        f"p:{_PROFILE}:{about['protocol']}",
        f"n:{one.task.planned}",
        f"m:{named}",
        f"variant:{one.variant}",
        "given by lm-eval, without items",
    )
    cell = Cell(
        one.place.task,
        one.place.language,
        _PROFILE,
        one.variant,
        measured.name,
        unit.name,
        "",
        value=value,
        n=one.task.planned,
        failures=0,
        low=max(unit.lowest, value - spread) if known else None,
        high=min(unit.highest, value + spread) if known else None,
        delta=None,
        delta_low=None,
        delta_high=None,
        signature="|".join(parts),
        states={"without_items": one.task.planned},
        planned=one.task.planned,
        picks=(),
        clusters=0,
        test=None,
        p_value=None,
        smallest_detectable=None,
        higher_is_better=measured.higher_is_better,
        given="lm-eval",
    )
    return cell.as_dict()


def _is_share(value: Any) -> bool:
    return isinstance(value, int | float) and 0 <= value <= 1


def _is_missing(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)

"""Every value, interval and p-value of one run, computed again from its records by scipy, statsmodels and plain loops."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint
from truths import truth

from lensbench.numbers.summarise import Summary, summary
from lensbench.records import RunFolder, ScoreRecord

GAINS = {"lens": {"targets": 0.06, "en": -0.02}, "xsft": {"zh": -0.05}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """Every item is a source item of its own."""
    where = tmp_path_factory.mktemp("recomputed") / "run"
    return truth(where, GAINS, seed=21, items=150, languages=("en", "zh", "sw"), tasks=("xcopa", "xwinograd"))


@pytest.fixture(scope="module")
def found(folder: RunFolder) -> Summary:
    return summary(folder)


@pytest.fixture(scope="module")
def scores(folder: RunFolder) -> pd.DataFrame:
    """`[items, variants]` by task and language."""
    rows = [(r.task, r.language, r.item, r.variant, r.metrics["acc"]) for r in folder.records(ScoreRecord)]
    return pd.DataFrame(rows, columns=["task", "language", "item", "variant", "acc"]).pivot(
        index=["task", "language", "item"], columns="variant", values="acc"
    )


def slow_tango(wins: int, losses: int, n: int) -> tuple[float, float]:
    """Ends of the score interval by root finding on the score statistic, its nuisance share found by maximum likelihood."""

    def statistic(true: float) -> float:
        def minus_likelihood(share: float) -> float:
            parts = ((wins, share + true), (losses, share), (n - wins - losses, 1 - 2 * share - true))
            return -sum(count * np.log(max(p, 1e-300)) for count, p in parts if count)

        least, most = max(0.0, -true), min((1 - true) / 2, 1 - true)
        at = optimize.minimize_scalar(minus_likelihood, bounds=(least, most), method="bounded", options={"xatol": 1e-12}).x
        return (wins - losses - n * true) / np.sqrt(n * (2 * at + true * (1 - true)))

    z, observed = stats.norm.ppf(0.975), (wins - losses) / n
    low = optimize.brentq(lambda true: statistic(true) - z, -1 + 1e-9, observed)
    high = optimize.brentq(lambda true: statistic(true) + z, observed, 1 - 1e-9)
    return low, high


def test_cells(found: Summary, scores: pd.DataFrame) -> None:
    assert len(found.cells) == 2 * 3 * 3
    for cell in found.cells:
        own = scores.loc[cell.task, cell.language]
        right = own[cell.variant]
        assert (cell.value, cell.n) == (pytest.approx(right.mean()), 150)
        low, high = proportion_confint(int(right.sum()), 150, method="wilson")
        assert (cell.low, cell.high) == pytest.approx((low, high))
        if cell.variant == "base":
            assert cell.delta is None
            continue
        table = pd.crosstab(own[cell.variant], own["base"]).reindex(index=[0.0, 1.0], columns=[0.0, 1.0], fill_value=0)
        wins, losses = int(table.loc[1.0, 0.0]), int(table.loc[0.0, 1.0])
        assert cell.p_value == pytest.approx(mcnemar(table.to_numpy(), exact=True).pvalue)
        assert cell.delta == pytest.approx((wins - losses) / 150)
        assert (cell.pairs, cell.differing) == (150, wins + losses)
        assert (cell.delta_low, cell.delta_high) == pytest.approx(slow_tango(wins, losses, 150), abs=2e-5)


def parts(average: Any, scores: pd.DataFrame, variant: str) -> list[tuple[float, pd.Series]]:
    """Weight and paired differences of every cell of an average: languages alike, and tasks alike within one."""
    cells = [cell.split("/") for cell in average.cells]
    languages = [language for _, language in cells]
    return [
        (
            1 / len(set(languages)) / languages.count(language),
            scores.loc[task, language][average.variant] - scores.loc[task, language][variant],
        )
        for task, language in cells
    ]


def test_averages(found: Summary, scores: pd.DataFrame) -> None:
    for average in found.averages:
        if average.variant == "base":
            continue
        own = parts(average, scores, "base")
        delta = sum(weight * difference.mean() for weight, difference in own)
        assert average.delta == pytest.approx(delta)
        # Independent items: the variances of the cells add up. A score interval is only near the normal one.
        error = sum(weight**2 * difference.var(ddof=0) / len(difference) for weight, difference in own) ** 0.5
        assert (average.delta_high - average.delta_low) / (2 * 1.96 * error) == pytest.approx(1, abs=0.1)
        assert average.delta_low < delta < average.delta_high
        # The sign flips of the records, drawn anew.
        rng = np.random.default_rng(4)
        contributions = np.concatenate([weight / len(difference) * difference.to_numpy() for weight, difference in own])
        moving = contributions[contributions != 0]
        flipped = np.abs(rng.choice([-1.0, 1.0], size=(20_000, len(moving))) @ moving)
        p_value = float(np.mean(flipped >= abs(delta) - 1e-12))
        slack = 4 * (p_value * (1 - p_value) / 10_000) ** 0.5 + 2e-3
        assert average.p_value == pytest.approx(p_value, abs=slack)


def test_pairs(found: Summary, scores: pd.DataFrame) -> None:
    (pair,) = found.pairs
    endpoint = next(a for a in found.averages if a.role == "endpoint" and a.variant == "lens")
    own = parts(endpoint, scores, "xsft")
    assert (pair.variant, pair.other, pair.cells) == ("lens", "xsft", endpoint.cells)
    assert pair.delta == pytest.approx(sum(weight * difference.mean() for weight, difference in own))
    assert pair.p_holm == pytest.approx(pair.p_value)


def closed_test(p_values: dict[str, float], endpoints: list[str], opened: dict[str, list[str]]) -> dict[str, float]:
    """Adjusted p-values by testing every intersection of hypotheses with the weights that are left to it."""
    names = list(p_values)
    edges: dict[tuple[str, str], float] = {}
    for name in endpoints:
        others = [other for other in endpoints if other != name]
        edges |= {(name, other): 0.5 / len(others) for other in others}
        edges |= {(name, child): 0.5 / len(opened[name]) for child in opened[name]}
        for child in opened[name]:
            siblings = [other for other in opened[name] if other != child]
            edges |= {(child, other): (1 - 1e-6) / len(siblings) for other in siblings}
            edges |= {(child, other): 1e-6 / len(others) for other in others}

    def weights_left(kept: set[str]) -> dict[str, float]:
        weight = {name: 1 / len(endpoints) if name in endpoints else 0.0 for name in names}
        graph = dict(edges)
        for gone in [name for name in names if name not in kept]:
            weight = {a: weight[a] + weight[gone] * graph.get((gone, a), 0.0) for a in weight if a != gone}
            new = {}
            for a, b in itertools.permutations(weight, 2):
                loop = graph.get((a, gone), 0.0) * graph.get((gone, a), 0.0)
                if loop < 1:
                    new[a, b] = (graph.get((a, b), 0.0) + graph.get((a, gone), 0.0) * graph.get((gone, b), 0.0)) / (1 - loop)
            graph = new
        return weight

    adjusted = dict.fromkeys(names, 0.0)
    for size in range(1, len(names) + 1):
        for kept in itertools.combinations(names, size):
            left = weights_left(set(kept))
            least = min((p_values[name] / left[name] for name in kept if left[name] > 0), default=1.0)
            for name in kept:
                adjusted[name] = max(adjusted[name], min(1.0, least))
    return adjusted


def test_adjusted_p_values(found: Summary) -> None:
    tested = {
        f"{a.variant} {a.language or 'all'}": a
        for a in found.averages
        if a.role in ("endpoint", "language") and a.p_value is not None
    }
    endpoints = [name for name, a in tested.items() if a.role == "endpoint"]
    opened = {
        name: [n for n, a in tested.items() if a.role == "language" and a.variant == tested[name].variant] for name in endpoints
    }
    expected = closed_test({name: a.p_value for name, a in tested.items()}, endpoints, opened)
    assert len(tested) == 6
    for name, average in tested.items():
        assert average.p_holm == pytest.approx(expected[name], rel=1e-4), name
        significant = average.p_holm < 0.05 and not average.delta_low <= 0 <= average.delta_high
        assert (average.verdict in ("better", "worse")) == significant
    # Between the endpoints themselves nothing is stricter than Bonferroni, nor looser than Holm.
    raw = [tested[name].p_value for name in endpoints]
    holm, bonferroni = (multipletests(raw, method=method)[1] for method in ("holm", "bonferroni"))
    for name, low, high in zip(endpoints, holm, bonferroni, strict=True):
        assert low - 1e-9 <= tested[name].p_holm <= high + 1e-9


def test_english(found: Summary, scores: pd.DataFrame) -> None:
    for average in (a for a in found.averages if a.role == "english" and a.variant != "base"):
        assert average.at_worst == average.delta_low and average.margin == 0.01
        expected = "worse" if average.delta_high < 0 else "shown" if average.delta_low > -0.01 else "not shown"
        assert average.retention == expected


def test_nothing_here_depends_on_the_order_of_the_records(folder: RunFolder, found: Summary, tmp_path: Path) -> None:
    import random
    import shutil

    shutil.copytree(folder.path, tmp_path / "run")
    path = tmp_path / "run" / "items" / "score.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    random.Random(1).shuffle(lines)
    path.write_text("".join(lines), encoding="utf-8")
    again = summary(RunFolder(tmp_path / "run"))
    assert [c.as_dict() for c in again.cells] == [c.as_dict() for c in found.cells]
    for mine, theirs in zip(again.averages, found.averages, strict=True):
        assert (mine.p_value, mine.delta_low, mine.verdict) == (
            pytest.approx(theirs.p_value),
            pytest.approx(theirs.delta_low),
            theirs.verdict,
        )

"""Corpus metrics against sacrebleu's own scores, swaps written out, and the tests of means that they must agree with."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lensbench.stats import corpus_interval, corpus_pair, sign_flip


def ratio(sums: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(sums[..., 0] / sums[..., 1])


def test_with_equal_weights_it_is_the_bootstrap_and_the_test_of_a_mean() -> None:
    """Where every item adds 1 to the denominator, the ratio is the mean, and swapping flips the sign of a difference."""
    rng = np.random.default_rng(1)
    base, variant = rng.normal(0, 1, 9), rng.normal(0.5, 1, 9)
    ones, clusters = np.ones(9), np.array(list("aabbcdefg"))
    a, b = np.stack([variant, ones], 1), np.stack([base, ones], 1)
    pair = corpus_pair(a, b, clusters, ratio)
    assert pair is not None
    assert pair.difference == pytest.approx((variant - base).mean())
    assert pair.p_value == pytest.approx(sign_flip((variant - base)[None], clusters)[0])
    value, low, high = corpus_interval(a, clusters, ratio)
    assert low < value < high and value == pytest.approx(variant.mean())


def test_it_is_no_mean_of_items() -> None:
    found = np.array([[1.0, 1.0], [0.0, 9.0]])
    assert corpus_interval(found, np.array(["a", "b"]), ratio)[0] == pytest.approx(0.1)


def test_all_swaps_by_hand() -> None:
    a, b = np.array([[3.0, 4], [1, 2], [5, 9]]), np.array([[1.0, 5], [1, 3], [2, 4]])
    observed = abs(ratio(a.sum(0)) - ratio(b.sum(0)))
    found = []
    for swapped in itertools.product([False, True], repeat=3):
        mask = np.array(swapped)[:, None]
        found.append(abs(ratio(np.where(mask, b, a).sum(0)) - ratio(np.where(mask, a, b).sum(0))) >= observed - 1e-12)
    pair = corpus_pair(a, b, np.array(["x", "y", "z"]), ratio)
    assert pair is not None and pair.p_value == np.mean(found)


def test_missing_items_count_for_no_pair() -> None:
    a, b = np.array([[1.0, 1], [np.nan, np.nan], [2, 4]]), np.array([[0.0, 1], [5, 5], [np.nan, np.nan]])
    clusters = np.array(["a", "b", "c"])
    pair = corpus_pair(a, b, clusters, ratio)
    assert pair is not None and pair.pairs == 1 and pair.difference == 1.0 and np.isnan(pair.low)
    assert corpus_pair(a[1:2], b[1:2], clusters[1:2], ratio) is None
    assert np.isnan(corpus_interval(a[1:2], clusters[1:2], ratio)[0])


def test_equal_variants_are_never_told_apart() -> None:
    a = np.array([[1.0, 2], [3, 4], [0, 1]])
    pair = corpus_pair(a, a, np.array(["a", "b", "c"]), ratio)
    assert pair is not None and (pair.difference, pair.p_value) == (0.0, 1.0)


def test_chrf_from_its_sums_is_that_of_sacrebleu() -> None:
    chrf = pytest.importorskip("sacrebleu").metrics.CHRF()
    answers = ["the cat sat on the mat", "it rains", "a house stands there"]
    references = ["the cat is on the mat", "it is raining", "there stands a house"]
    pairs = list(zip(answers, references, strict=True))
    sums = np.array([chrf._extract_corpus_statistics([said], [[wanted]])[0] for said, wanted in pairs], dtype=float)

    def compute(total: NDArray[Any]) -> NDArray[Any]:
        flat = total.reshape(-1, total.shape[-1])
        return np.array([chrf._compute_f_score(list(row)) for row in flat]).reshape(total.shape[:-1])

    value, low, high = corpus_interval(sums, np.array(["a", "b", "c"]), compute, draws=200)
    assert value == pytest.approx(chrf.corpus_score(answers, [references]).score)
    assert low <= value <= high
    single = np.mean([chrf.sentence_score(a, [r]).score for a, r in pairs])
    assert abs(single - value) > 0.1

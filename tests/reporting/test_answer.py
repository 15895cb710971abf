"""The sentences that a run says first, on runs whose truth is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scored_run import write_run
from truths import truth

from lensbench.numbers.english import retention
from lensbench.numbers.margins import keep_margins, parse_margins
from lensbench.numbers.results import collect_results
from lensbench.numbers.run_results import read_results
from lensbench.records import RunFolder
from lensbench.reporting.answer import Answer, answer_of
from lensbench.reporting.run_view import RunView


def answer(folder: RunFolder) -> Answer:
    return answer_of(RunView(folder, read_results(collect_results(folder))))


def said(found: Answer, question: str, variant: str) -> str:
    (one,) = [s.text for asked, lines in found.questions if asked == question for s in lines if s.variant == variant]
    return one


TRUTHS = {
    # gains, words that "Did it help?" begins with, words of "Did English suffer?"
    "helps": ({"targets": 0.06}, "better on the targets: accuracy", None),
    "harms": ({"targets": -0.06}, "worse on the targets: accuracy", None),
    "nothing": ({}, "not distinguishable on the targets: accuracy", None),
    "helps and costs English": ({"targets": 0.06, "en": -0.09}, "better on the targets: accuracy", "worse in English: accuracy"),
    "costs English only": ({"en": -0.09}, "not distinguishable on the targets: accuracy", "worse in English: accuracy"),
    "helps English too": ({"targets": 0.06, "en": 0.09}, "better on the targets: accuracy", "no loss as large as the margin"),
    "helps one language much": ({"zh": 0.15}, "better on the targets: accuracy", None),
    "harms one language much": ({"zh": -0.15}, "worse on the targets: accuracy", None),
    "a trade between languages": ({"zh": 0.08, "sw": -0.08}, "not distinguishable on the targets: accuracy", None),
    "harms everything": ({"targets": -0.06, "en": -0.09}, "worse on the targets: accuracy", "worse in English: accuracy"),
}
SMALL = {"items": 400, "languages": ("en", "zh", "ja", "sw"), "tasks": ("xcopa", "xwinograd")}


@pytest.mark.parametrize("name", TRUTHS)
def test_the_first_sentences_follow_the_truth(name: str, tmp_path: Path) -> None:
    """Effects of this size are seen in nearly every run of 2,400 target items; `xsft` does nothing in all of them."""
    gains, helped, english = TRUTHS[name]
    right = 0
    for seed in range(2):
        found = answer(truth(tmp_path / str(seed), {"lens": gains, "xsft": {}}, seed=100 + seed, **SMALL))
        assert said(found, "Did it help?", "xsft").startswith("not distinguishable on the targets: accuracy")
        good = said(found, "Did it help?", "lens").startswith(helped)
        right += good and (english is None or english in said(found, "Did English suffer?", "lens"))
    assert right >= 1


@pytest.mark.slow
def test_power_and_error_over_many_runs(tmp_path: Path) -> None:
    """Each truth 100 times: what is there is found in 80%, and what is not is claimed in 5% of the runs at most."""
    runs, seen, wrong = 100, {}, {}
    for number, (name, (gains, helped, english)) in enumerate(TRUTHS.items()):
        # Seeds of their own: with the same one, `xsft` would be the same data under every truth.
        found = [
            answer(truth(tmp_path / f"{name} {k}", {"lens": gains, "xsft": {}}, seed=runs * number + k, **SMALL))
            for k in range(runs)
        ]
        seen[name] = sum(
            said(one, "Did it help?", "lens").startswith(helped)
            and (english is None or english in said(one, "Did English suffer?", "lens"))
            for one in found
        )
        nothing = [said(one, "Did it help?", "xsft") for one in found]
        wrong[name] = sum(not text.startswith("not distinguishable") for text in nothing)
    print({"seen": seen, "wrong": wrong})
    assert min(seen.values()) >= 0.8 * runs, seen
    assert sum(wrong.values()) <= len(TRUTHS) * runs * (0.05 + 2 * (0.05 * 0.95 / (runs * len(TRUTHS))) ** 0.5), wrong


def test_a_true_gain_and_a_true_loss_side_by_side(tmp_path: Path) -> None:
    """No single cell of lens could be told from base after Holm over 28 of them; its mean over the targets can."""
    gains = {"lens": {"targets": 0.05, "en": 0.05}, "xsft-full": {"targets": -0.03, "en": -0.06}, "qalign": {"targets": 0.01}}
    found = answer(truth(tmp_path / "run", gains, seed=3))
    assert said(found, "Did it help?", "lens").startswith("better on the targets: accuracy +")
    assert said(found, "Did it help?", "xsft-full").startswith("worse on the targets: accuracy -")
    assert said(found, "Did it help?", "qalign").startswith("not distinguishable on the targets")
    english = said(found, "Did English suffer?", "xsft-full")
    assert english.startswith("worse in English: accuracy -") and "at worst -" in english
    assert {s.variant: s.tone for s in found.english if s.variant} == {"lens": "better", "xsft-full": "worse", "qalign": "plain"}


def test_english_does_not_depend_on_the_number_of_targets(tmp_path: Path) -> None:
    gains = {"lens": {"en": -0.08}}
    few = answer(truth(tmp_path / "few", gains, seed=8, tasks=SMALL["tasks"], items=400, languages=("en", "zh")))
    many = answer(
        truth(
            tmp_path / "many",
            gains,
            seed=8,
            tasks=SMALL["tasks"],
            items=400,
            languages=("en", "zh", "ja", "ko", "ar", "bn", "sw", "th", "te"),
        )
    )
    for found in (few, many):
        assert "worse in English" in said(found, "Did English suffer?", "lens")


@pytest.mark.parametrize(
    ("low", "high", "better_high", "margin", "expected"),
    [
        (-0.005, 0.03, True, 0.01, (-0.005, "shown")),
        (-0.02, 0.03, True, 0.01, (-0.02, "not shown")),
        (-0.07, -0.02, True, 0.01, (-0.07, "worse")),
        (-0.008, -0.001, True, 0.01, (-0.008, "worse")),
        (-0.03, 0.005, False, 0.01, (0.005, "shown")),
        (0.001, 0.03, False, 0.01, (0.03, "worse")),
        (-0.005, 0.03, True, None, (-0.005, "not shown")),
        (None, None, True, 0.01, (None, None)),
        (-0.1, 0.1, None, 0.01, (None, None)),
    ],
)
def test_retention(low: float, high: float, better_high: bool, margin: float | None, expected: tuple) -> None:
    assert retention(low, high, better_high, margin) == expected


def test_a_margin_of_the_users_own(tmp_path: Path) -> None:
    folder = truth(tmp_path / "run", {"lens": {"en": -0.01}}, seed=4, **SMALL)
    assert "a loss is not ruled out: accuracy" in said(answer(folder), "Did English suffer?", "lens")
    keep_margins(folder, parse_margins("accuracy=9"))
    text = said(answer(folder), "Did English suffer?", "lens")
    assert text.startswith("no loss as large as the margin: accuracy")
    assert any("The margin is 9 points of accuracy" in one.text for one in answer(folder).english)


# --- runs of which little can be said


def scores(variants: tuple[str, ...], cells: tuple[str, ...] = ("xcopa/zh", "xcopa/en"), n: int = 30) -> dict:
    rng = np.random.default_rng(1)
    return {(cell, variant): (rng.random(n) < 0.5).astype(float) for cell in cells for variant in variants}


def test_base_only(tmp_path: Path) -> None:
    found = answer(write_run(tmp_path / "run", scores(("base",))))
    assert [question for question, _ in found.questions] == [] and any(
        "Only base was evaluated" in one.text for one in found.voids
    )


def test_no_base(tmp_path: Path) -> None:
    found = answer(write_run(tmp_path / "run", scores(("lens", "xsft"))))
    assert any("has no base" in one.text for one in found.voids)
    assert "not compared: accuracy (no score of base" in said(found, "Did it help?", "lens")


def test_no_english(tmp_path: Path) -> None:
    found = answer(write_run(tmp_path / "run", scores(("base", "lens"), ("xcopa/zh",))))
    assert [one.text for one in found.english] == ["Not measured: the run asks nothing in English."]


def test_english_only(tmp_path: Path) -> None:
    found = answer(write_run(tmp_path / "run", scores(("base", "lens"), ("xcopa/en",))))
    assert said(found, "Did it help?", "lens") == "nothing was measured in a target language"
    assert "accuracy" in said(found, "Did English suffer?", "lens")


def test_one_item(tmp_path: Path) -> None:
    one = {(cell, v): np.array([right]) for cell in ("xcopa/zh", "xcopa/en") for v, right in (("base", 0.0), ("lens", 1.0))}
    found = answer(write_run(tmp_path / "run", one))
    text = said(found, "Did it help?", "lens")
    assert text.startswith("not distinguishable on the targets: accuracy +100.0 points")
    assert any("rests on 1 score: lens." in one.text for one in found.voids)


def test_a_task_without_any_score(tmp_path: Path) -> None:
    some = scores(("base", "lens"))
    some |= {("xwinograd/zh", v): np.full(20, np.nan) for v in ("base", "lens")}
    found = answer(write_run(tmp_path / "run", some))
    assert any("No score: xwinograd/zh" in one.text for one in found.voids)


def test_a_variant_that_lacks_a_cell_has_no_mean_over_fewer(tmp_path: Path) -> None:
    some = scores(("base", "lens"), ("xcopa/zh", "xcopa/sw", "xcopa/en"))
    del some["xcopa/sw", "lens"]
    found = answer(write_run(tmp_path / "run", some))
    assert said(found, "Did it help?", "lens").startswith(
        "not measured: accuracy (a score of one of xcopa x 2 languages is missing)"
    )


def test_forty_variants(tmp_path: Path) -> None:
    gains = {f"lens-{number}": {"targets": 0.09 if number == 7 else 0.0} for number in range(40)}
    found = answer(truth(tmp_path / "run", gains, seed=5, languages=("en", "zh", "sw"), tasks=("xcopa", "xwinograd")))
    assert len(found.variants) == len(found.helped) == len([one for one in found.english if one.variant]) == 40
    assert said(found, "Did it help?", "lens-7").startswith("better on the targets")
    assert sum(one.tone == "better" for one in found.helped) == 1


def test_an_older_version_had_no_endpoints(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", scores(("base", "lens")))
    content = collect_results(folder)
    for average in content["averages"]:
        del average["role"]
    found = answer_of(RunView(folder, read_results({**content, "averages": content["averages"]})))
    assert any("An older version made these numbers" in one.text for one in found.voids) and found.helped == ()


def test_where_nothing_differs_it_says_what_is_still_possible(tmp_path: Path) -> None:
    """Of 24 items none differs: with 95% confidence the true difference is below 13.8 points (Tango's score interval)."""
    right = (np.random.default_rng(3).random(24) < 0.5).astype(float)
    same = {(cell, variant): right for cell in ("xcopa/zh", "xcopa/en") for variant in ("base", "lens")}
    found = answer(write_run(tmp_path / "run", same, named=()))
    expected = "accuracy: none of 24 scores differs, at most 13.8 points"
    assert said(found, "Did it help?", "lens") == f"not distinguishable on the targets: {expected}."

"""Variants that differ in their seed only, from records: which they are, and what is said of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scored_run import write_run

from lensbench.frames import RunFrames
from lensbench.numbers.results import collect_results
from lensbench.numbers.run_results import Results, read_results
from lensbench.numbers.seed_settings import seed_settings
from lensbench.records import RunFolder
from lensbench.records.shapes import wrong_shape
from lensbench.reporting.answer import answer_of
from lensbench.reporting.run_view import RunView

CELLS = {"xcopa/zh": 60, "xcopa/sw": 60, "xcopa/en": 60, "xwinograd/zh": 20}
FITS = {
    "lens": ("lens", {"rank": 1, "seed": 0}),
    "lens[seed=1]": ("lens", {"rank": 1, "seed": 1}),
    "lens[seed=2]": ("lens", {"rank": 1, "seed": 2}),
    "lens[rank=2,seed=1]": ("lens", {"rank": 2, "seed": 1}),
    "xsft": ("xsft", {"seed": 0}),
}
Scores = dict[tuple[str, str], np.ndarray]


def scores(fits: dict, seed: int = 3) -> Scores:
    rng = np.random.default_rng(seed)
    found = {}
    for cell, n in CELLS.items():
        hard = rng.random(n)
        found[cell, "base"] = (hard < 0.5).astype(float)
        for name in fits:
            found[cell, name] = (np.where(rng.random(n) < 0.3, rng.random(n), hard) < 0.6).astype(float)
    return found


def fitted(path: Path, own: Scores, fits: dict) -> RunFolder:
    """A run whose variants have a method, a seed and a card."""
    folder = write_run(path, own)
    about = json.loads((path / "variants.json").read_text(encoding="utf-8"))
    for name, (method, config) in fits.items():
        about["variants"][name] |= {"method": method, "seed": config.get("seed")}
        home = folder.enhancement(name)
        home.mkdir(parents=True)
        (home / "card.json").write_text(json.dumps({"config": config}), encoding="utf-8")
    (path / "variants.json").write_text(json.dumps(about), encoding="utf-8")
    return RunFolder(path)


def results(folder: RunFolder) -> Results:
    content = collect_results(folder)
    assert wrong_shape("results.json", json.loads(json.dumps(content))) is None
    return read_results(content)


def real(folder: RunFolder) -> list[str]:
    return [one.text for one in answer_of(RunView(folder, results(folder))).real]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return fitted(tmp_path_factory.mktemp("seeds") / "run", scores(FITS), FITS)


def test_variants_of_one_setting_are_together(run: RunFolder) -> None:
    (one,) = seed_settings(run)
    assert (one.name, one.method, one.seeds) == ("lens", "lens", (0, 1, 2))
    assert one.variants == ("lens", "lens[seed=1]", "lens[seed=2]")


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("lens[rank=2,seed=1]", "lens[rank=2,seed=2]"), "lens[rank=2]"),
        (("lens[seed=1,rank=2]", "lens[seed=2,rank=2]"), "lens[rank=2]"),
        (("lens[seed=1]", "lens[seed=12]"), "lens"),
        (("a", "b"), "a, b"),
    ],
)
def test_the_name_of_a_setting(names: tuple[str, ...], expected: str, tmp_path: Path) -> None:
    fits = {name: ("lens", {"rank": 2, "seed": seed}) for seed, name in enumerate(names)}
    (one,) = seed_settings(fitted(tmp_path / "run", scores(fits), fits))
    assert one.name == expected


def test_a_variant_of_unknown_settings_and_one_with_a_seed_twice_are_left_out(tmp_path: Path) -> None:
    fits = {name: ("lens", {"rank": 1, "seed": seed}) for name, seed in (("a", 1), ("b", 2), ("again", 2), ("unknown", 3))}
    folder = fitted(tmp_path / "run", scores(fits), fits)
    (folder.enhancement("unknown") / "card.json").unlink()
    (one,) = seed_settings(folder)
    assert one.variants == ("a", "b")


def test_the_numbers_are_the_mean_and_deviation_of_the_seeds(run: RunFolder) -> None:
    found = results(run)
    assert [(one.role, one.language) for one in found.seed_groups] == [
        ("endpoint", None),
        ("language", "zh"),
        ("language", "sw"),
        ("english", "en"),
    ]
    for one in found.seed_groups:
        deltas = [
            a.delta for v in one.variants for a in found.averages if (a.variant, a.role, a.cells) == (v, one.role, one.cells)
        ]
        assert len(deltas) == one.measured == 3
        assert one.delta == pytest.approx(np.mean(deltas)) and one.deviation == pytest.approx(np.std(deltas, ddof=1))
        assert (one.least, one.most) == pytest.approx((min(deltas), max(deltas)))
        assert one.delta_low < one.delta < one.delta_high and one.why == ""


def test_the_same_records_give_the_same_numbers(run: RunFolder) -> None:
    assert collect_results(run)["seed_groups"] == collect_results(run)["seed_groups"]


def test_a_seed_without_a_cell_is_not_counted(tmp_path: Path) -> None:
    own = scores(FITS)
    own["xcopa/sw", "lens[seed=1]"][:] = np.nan
    own["xcopa/sw", "lens[seed=2]"][:] = np.nan
    folder = fitted(tmp_path / "run", own, FITS)
    groups = {(one.role, one.language): one for one in results(folder).seed_groups}
    assert (groups["endpoint", None].measured, groups["endpoint", None].why) == (1, "one seed")
    assert groups["endpoint", None].delta_low is None and groups["language", "zh"].measured == 3
    assert any("mean of 1 of 3 seeds" in text and "no interval of seeds and items (one seed)" in text for text in real(folder))


def test_results_of_an_older_version_have_none(run: RunFolder) -> None:
    content = collect_results(run)
    del content["seed_groups"]
    assert read_results(content).seed_groups == ()


def test_what_is_said_of_seeds(run: RunFolder) -> None:
    (one,) = [group for group in results(run).seed_groups if group.role == "endpoint"]
    points = [f"{100 * value:+.1f}" for value in (one.delta, one.least, one.most, one.delta_low, one.delta_high)]
    said = real(run)
    assert (
        "lens: accuracy, mean of 3 seeds {} points, seeds from {} to {}, 95% interval of seeds and items [{}, {}].".format(
            *points
        )
        in said
    )
    assert "Training seeds: not measured for lens[rank=2,seed=1], xsft (one seed)." in said


def test_one_seed_a_setting_is_not_measured(tmp_path: Path) -> None:
    fits = {name: FITS[name] for name in ("lens", "xsft")}
    folder = fitted(tmp_path / "run", scores(fits), fits)
    assert "Training seeds: not measured (one a variant). Intervals cover the choice of items only." in real(folder)
    assert RunFrames(folder).seeds.empty


def test_the_frame(run: RunFolder) -> None:
    frame = RunFrames(run).seeds
    assert list(frame.setting) == ["lens"] * 4 and list(frame.seeds) == ["0 1 2"] * 4
    assert list(frame.delta) == [one.delta for one in results(run).seed_groups]

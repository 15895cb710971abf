"""Calibration from hand-made records: agreement, length and language."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lensbench.errors import UsageError
from lensbench.numbers.calibrate import calibrate
from lensbench.records import RunFolder

COMMON = {"task": "mt_bench", "language": "sw", "profile": "mt-bench"}


def put(folder: RunFolder, ratings: dict[tuple[str, str, int], float], *, judge: str = "j:m:1", repeat: int = 0) -> None:
    with folder.log("verdicts") as log:
        log.append(
            {
                **COMMON,
                "key": f"{judge}{repeat}{v}{i}{t}",
                "answer": f"{v}{i}{t}",
                "item": i,
                "variant": v,
                "turn": t,
                "category": None,
                "judge": judge,
                "repeat": repeat,
                "try": 0,
                "state": "ok",
                "rating": rating,
            }
            for (v, i, t), rating in ratings.items()
        )


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    run = RunFolder(tmp_path)
    # Longer answers; the base strays into English on questions c and d.
    places = [(v, i, 1) for v in ("base", "lens") for i in "abcd"]
    tokens = {"a": 100, "b": 200, "c": 300, "d": 400}
    with run.log("answers") as log:
        log.append(
            {**COMMON, "key": f"{v}{i}{t}", "item": i, "variant": v, "turn": t, "state": "ok", "text": "a", "tokens": tokens[i]}
            for v, i, t in places
        )
    with run.log("identified") as log:
        log.append(
            {
                **COMMON,
                "key": f"id{v}{i}",
                "item": i,
                "variant": v,
                "identifier": "lid176:x",
                "state": "ok",
                "metrics": {"lf_turn1": float(v == "lens" or i in "ab")},
                "turns": [{"answer": f"{v}{i}1", "turn": 1, "label": None, "cell": "sw", "probability": None, "lines": []}],
            }
            for v, i, _ in places
        )
    return run


RATINGS: dict[tuple[str, str, int], float] = {
    ("base", "a", 1): 2,
    ("base", "b", 1): 3,
    ("base", "c", 1): 8,
    ("base", "d", 1): 9,
    ("lens", "a", 1): 4,
    ("lens", "b", 1): 6,
    ("lens", "c", 1): 5,
    ("lens", "d", 1): 5,
}


def test_a_judge_that_likes_english_is_found_out(folder: RunFolder) -> None:
    put(folder, RATINGS)
    found = {c.variant: c for c in calibrate(folder).controlled}
    assert found["base"].faithful and found["base"].unfaithful and found["lens"].delta
    assert (found["base"].faithful.value, found["base"].n_faithful) == (2.5, 2)
    assert (found["base"].unfaithful.value, found["base"].n_unfaithful) == (8.5, 2)
    # Over all answers lens looks worse (5 against 5.5); where both answer in Swahili it is better by (2 + 3) / 2.
    assert (found["lens"].delta.value, found["lens"].n_pairs) == (2.5, 2)


def test_length(folder: RunFolder) -> None:
    put(folder, {(v, i, t): {"a": 1, "b": 3, "c": 5, "d": 7}[i] for v, i, t in RATINGS})
    (line,) = calibrate(folder).length
    assert line.slope is not None and line.slope.value == pytest.approx(2.0) and line.slope.low == pytest.approx(2.0)


def test_repeats_and_judges(folder: RunFolder) -> None:
    put(folder, RATINGS)
    assert calibrate(folder).agreement == ()
    put(folder, {place: rating + (1 if place[0] == "base" else 0) for place, rating in RATINGS.items()}, repeat=1)
    put(folder, RATINGS, judge="k:m:2")
    repeats, judges = calibrate(folder).agreement
    assert repeats.answers == judges.answers == 8
    # Four answers moved by one point: variance 0.5 each, over eight answers.
    assert repeats.deviation == pytest.approx((4 * 0.5 / 8) ** 0.5)
    assert repeats.means == (pytest.approx(5.25), pytest.approx(5.75))
    assert judges.alpha is not None and 0.8 < judges.alpha < 1


def test_nothing_to_calibrate(folder: RunFolder) -> None:
    with pytest.raises(UsageError, match="no ratings"):
        calibrate(folder)


def test_the_command(folder: RunFolder, cli: Any, tmp_path: Path) -> None:
    put(folder, RATINGS)
    (tmp_path / "run.json").write_text("{}")
    done = cli("calibrate", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "+2.50" in done.stdout and "--repeats 3" in done.stdout


def test_ratings_whose_answers_are_gone_are_counted_and_said(folder: RunFolder, cli: Any, tmp_path: Path) -> None:
    put(folder, RATINGS)
    for stage, gone in (("answers", '"key": "lensd1"'), ("identified", '"key": "idlensa"')):
        path = tmp_path / "items" / f"{stage}.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        kept = [line for line in lines if gone not in line and gone.replace(": ", ":") not in line]
        assert len(kept) == len(lines) - 1
        path.write_text("".join(kept), encoding="utf-8")
    found = calibrate(RunFolder(tmp_path))
    (line,) = found.length
    assert (line.answers, line.without_answer) == (7, 1) and line.slope is not None
    assert found.unidentified == 1 and {c.variant: c.n_faithful for c in found.controlled} == {"base": 2, "lens": 3}
    (tmp_path / "run.json").write_text("{}")
    done = cli("calibrate", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "! j:1 in sw: 1 ratings are of answers that have no record with a length; they are in no slope" in done.stdout
    assert "! 1 rated answers have no language told by an identifier" in done.stdout
    # Without any answer there is no slope, and no traceback.
    (tmp_path / "items" / "answers.jsonl").unlink()
    (line,) = calibrate(RunFolder(tmp_path)).length
    assert (line.answers, line.without_answer, line.slope) == (0, 8, None)


def test_records_that_are_gone_are_said(tmp_path: Path, cli: Any) -> None:
    from simulated_run import simulate

    from lensbench.stages.results import write_results

    run = simulate(tmp_path / "run", items=6, variants=("base", "lens"), languages=("en",), tasks=("mt_bench",))
    write_results(run)
    path = run.path / "items" / "answers.jsonl"
    path.write_text("".join(path.read_text(encoding="utf-8").splitlines(keepends=True)[1:]), encoding="utf-8")
    done = cli("calibrate", run.path)
    assert done.returncode == 0, done.stderr
    assert "! items/answers.jsonl: 1 record that were there when results were made are gone" in done.stdout

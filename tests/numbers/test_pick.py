"""The choice of a setting: recomputed in a slow obvious way, and by runs that hold one side's items only."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from swept_run import swept_run

import lensbench as lb
from lensbench.errors import RunError, UsageError
from lensbench.numbers.margins import keep_margins
from lensbench.numbers.picking.kept import PICK_FILE, keep_pick, read_pick
from lensbench.numbers.picking.picked import Candidate, Picked
from lensbench.numbers.picking.rule import parse_pick
from lensbench.numbers.results import collect_results, current_results
from lensbench.numbers.run_results import Results, read_results
from lensbench.records import RunFolder
from lensbench.records.shapes import wrong_shape
from lensbench.stages.results import write_results
from lensbench.stages.set_pick import set_pick

GAINS = {26: (0.02, 0.0), 27: (0.06, 0.0), 28: (0.08, -0.08), 29: (0.03, 0.0), 30: (0.0, 0.0)}
LANGUAGES = ("en", "zh", "sw")


def picked_run(path: Path, rule: str = "endpoint=accuracy", **choices: Any) -> RunFolder:
    folder = swept_run(path, choices.pop("gains", GAINS), **choices)
    keep_pick(folder, parse_pick(rule))
    return folder


def results(folder: RunFolder) -> Results:
    content = json.loads(json.dumps(collect_results(folder)))
    assert wrong_shape("results.json", content) is None
    return read_results(content)


def choice(folder: RunFolder) -> Picked:
    found = results(folder).picked
    assert found is not None
    return found


def lines(path: Path, stage: str) -> list[dict]:
    return [json.loads(line) for line in (path / "items" / f"{stage}.jsonl").read_text(encoding="utf-8").splitlines()]


def chooses(item: dict, share: float = 0.3) -> bool:
    """From the documented recipe, without the package."""
    name = f"source {item['source']}" if "source" in item else f"item {item['task']} {item['doc_id']}"
    digest = hashlib.sha256(f"lensbench development items 1\n{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64 < share


def only(folder: RunFolder, to: Path, keep: Any, variants: set[str] | None = None) -> Results:
    """Results of a copy of the run that has no rule, and only some items and variants."""
    shutil.copytree(folder.path, to)
    (to / PICK_FILE).unlink()
    asked = [item for item in lines(to, "items") if keep(item)]
    keys = {item["key"] for item in asked}
    scored = [one for one in lines(to, "score") if one["item"] in keys and (variants is None or one["variant"] in variants)]
    for stage, records in (("items", asked), ("score", scored)):
        (to / "items" / f"{stage}.jsonl").write_text("".join(json.dumps(one) + "\n" for one in records), encoding="utf-8")
    if variants is not None:
        about = json.loads((to / "variants.json").read_text(encoding="utf-8"))
        about["variants"] = {name: facts for name, facts in about["variants"].items() if name in variants}
        (to / "variants.json").write_text(json.dumps(about), encoding="utf-8")
    return results(RunFolder(to))


def slow_gain(path: Path, variants: list[str], codes: list[str], *, development: bool) -> float:
    """Mean over seeds, languages and tasks of the mean difference over items."""
    right = {(one["item"], one["variant"]): one["metrics"]["acc"] for one in lines(path, "score")}
    cells: dict[tuple[str, str], list[str]] = defaultdict(list)
    for item in lines(path, "items"):
        if chooses(item) == development and item["language"] in codes:
            cells[item["language"], item["task"]].append(item["key"])
    means = []
    for variant in variants:
        by_language: dict[str, list[float]] = defaultdict(list)
        for (language, _), keys in cells.items():
            by_language[language].append(sum(right[key, variant] - right[key, "base"] for key in keys) / len(keys))
        means.append(sum(sum(own) / len(own) for own in by_language.values()) / len(by_language))
    return sum(means) / len(means)


@pytest.mark.parametrize(("seeds", "named"), [((42,), True), ((42,), False), ((0, 1, 2), True)])
def test_the_choice_in_a_slow_obvious_way(tmp_path: Path, seeds: tuple[int, ...], named: bool) -> None:
    for seed in range(4):
        folder = picked_run(
            tmp_path / str(seed), seed=seed, items=80, seeds=seeds, spread=0.02, named=("xcopa", "m_mmlu") if named else ()
        )
        found, best = choice(folder), None
        for candidate in found.candidates:
            own = list(candidate.variants)
            assert len(own) == len(seeds)
            gain = slow_gain(folder.path, own, ["zh", "sw"], development=True)
            english = slow_gain(folder.path, own, ["en"], development=True)
            assert candidate.development.delta == pytest.approx(gain) and candidate.english_development.delta == pytest.approx(
                english
            )
            assert candidate.test.delta == pytest.approx(slow_gain(folder.path, own, ["zh", "sw"], development=False))
            assert candidate.admission == ("admissible" if -english < 0.01 else "english below the margin")
            if -english < 0.01 and (best is None or gain > best[0] + 1e-9):
                best = (gain, candidate.setting, own)
        (method,) = found.methods
        if best is None:
            assert method.state == "none admissible" and method.setting is None
            assert set(found.left_out) == {name for one in found.candidates for name in one.variants}
            continue
        gain, setting, own = best
        assert (method.state, method.setting, list(method.variants), method.tried) == ("chosen", setting, own, 5)
        assert [one.setting for one in found.candidates if one.chosen] == [setting]
        assert method.optimism == pytest.approx(gain - slow_gain(folder.path, own, ["zh", "sw"], development=False))


def test_numbers_are_those_of_a_run_of_the_test_items_and_the_chosen_settings(tmp_path: Path) -> None:
    """Every cell, average, adjusted p and verdict: the other settings and the development items leave no trace in them."""
    folder = picked_run(tmp_path / "run", others=("xsft",), items=120)
    whole = results(folder)
    picked = whole.picked
    assert picked is not None
    chosen = next(one for one in picked.methods if one.method == "lens")
    assert chosen.state == "chosen" and [one.state for one in picked.methods if one.method == "xsft"] == ["one setting"]
    told = {"base", "xsft", *chosen.variants}
    alone = only(folder, tmp_path / "test", lambda item: not chooses(item), told)

    def numbers(entries: Any) -> list[dict]:
        # The last bits of a mean depend on how many columns numpy adds up at once.
        shown = [{**one.as_dict(), "signature": ""} for one in entries if one.variant in told]
        return [{name: round(v, 12) if isinstance(v, float) else v for name, v in one.items()} for one in shown]

    assert numbers(whole.cells) == numbers(alone.cells)
    assert numbers(whole.averages) == numbers(alone.averages)
    assert numbers(whole.pairs) == numbers(alone.pairs) and len(whole.pairs) == 1
    tested = {one.variant for one in whole.averages if one.p_holm is not None}
    assert tested == told - {"base"}
    rest = [one for one in whole.averages if one.variant in whole.left_out and one.role in ("endpoint", "language")]
    assert rest and {one.verdict for one in rest} == {"exploratory"} and not any(one.leads for one in rest)


def _endpoint(found: Results, variant: str, role: str = "endpoint") -> Any:
    return next(one for one in found.averages if one.variant == variant and one.role == role)


def test_numbers_of_candidates_are_those_of_each_side_alone(tmp_path: Path) -> None:
    folder = picked_run(tmp_path / "run", items=90)
    found = choice(folder)
    sides = {
        "development": only(folder, tmp_path / "development", chooses),
        "test": only(folder, tmp_path / "test", lambda item: not chooses(item)),
    }
    for candidate in found.candidates:
        (variant,) = candidate.variants
        for name, side in sides.items():
            own, english = getattr(candidate, name), getattr(candidate, f"english_{name}")
            average, in_english = _endpoint(side, variant), _endpoint(side, variant, "english")
            assert (own.value, own.low, own.high) == pytest.approx((average.value, average.low, average.high))
            assert (own.delta, own.delta_low, own.delta_high) == pytest.approx(
                (average.delta, average.delta_low, average.delta_high)
            )
            assert (own.n, own.clusters) == (average.n, average.clusters)
            assert (english.delta, english.at_worst) == pytest.approx((in_english.delta, in_english.at_worst))
            assert english.retention == in_english.retention and found.margin == in_english.margin
    (method,) = found.methods
    chosen = next(one for one in found.candidates if one.chosen)
    told = _endpoint(sides["test"], chosen.variants[0])
    seen = chosen.development.delta
    assert seen is not None
    assert (method.optimism_low, method.optimism, method.optimism_high) == pytest.approx(
        (seen - told.delta_high, seen - told.delta, seen - told.delta_low)
    )


def test_seeds_are_reported_together_and_never_chosen(tmp_path: Path) -> None:
    folder = picked_run(tmp_path / "run", items=90, seeds=(0, 1, 2), spread=0.03)
    found = results(folder)
    assert found.picked is not None
    (method,) = found.picked.methods
    assert method.setting is not None and len(method.variants) == 3 and "seed" not in method.setting
    chosen = next(one for one in found.picked.candidates if one.chosen)
    group = next(one for one in found.seed_groups if one.role == "endpoint")
    assert {one.setting for one in found.seed_groups} == {method.setting}
    assert (chosen.test.delta, chosen.test.delta_low, chosen.test.delta_high) == pytest.approx(
        (group.delta, group.delta_low, group.delta_high)
    )
    # The optimism is of these fits: its interval covers items, not seeds, and is narrower.
    assert method.optimism_high is not None and method.optimism_low is not None
    assert group.delta_high is not None and group.delta_low is not None
    assert method.optimism_high - method.optimism_low < group.delta_high - group.delta_low


def test_a_seed_that_could_not_be_measured_bars_its_setting(tmp_path: Path) -> None:
    """A setting that diverges on one seed is worse than the mean of the others says."""
    folder = picked_run(tmp_path / "run", gains={26: (0.0, 0.02), 27: (0.2, 0.02)}, items=90, seeds=(0, 1))
    gone = "lens[start_layer=27,seed=1]"
    about = json.loads((folder.path / "variants.json").read_text(encoding="utf-8"))
    del about["variants"][gone]
    about["failed"] = {gone: "diverged"}
    (folder.path / "variants.json").write_text(json.dumps(about), encoding="utf-8")
    found = choice(RunFolder(folder.path))
    assert [(one.setting, one.admission) for one in found.candidates] == [
        ("lens[start_layer=26]", "admissible"),
        ("lens[start_layer=27]", "not measured"),
    ]
    assert found.methods[0].setting == "lens[start_layer=26]" and gone in found.left_out


def _rescored(folder: RunFolder, new: Any) -> RunFolder:
    """With other scores: `new(record) -> right`."""
    path = folder.path / "items" / "score.jsonl"
    records = lines(folder.path, "score")
    for record in records:
        record["metrics"]["acc"] = float(new(record))
    path.write_text("".join(json.dumps(one) + "\n" for one in records), encoding="utf-8")
    return RunFolder(folder.path)


def test_of_equal_settings_the_first_of_the_run_is_taken(tmp_path: Path) -> None:
    folder = picked_run(tmp_path / "run", gains={28: (0, 0), 26: (0, 0), 27: (0, 0)}, items=40)
    equal = _rescored(folder, lambda one: one["variant"] != "base")
    (method,) = choice(equal).methods
    assert method.setting == "lens[start_layer=28]" and method.tied == ("lens[start_layer=26]", "lens[start_layer=27]")


def test_a_loss_of_exactly_the_margin_is_too_much(tmp_path: Path) -> None:
    """Of 100 English development items one is lost: 1 point, which is the margin. A margin of 2 points lets it pass."""
    folder = swept_run(tmp_path / "run", {26: (0, 0), 27: (0, 0)}, items=400, tasks=("xcopa",))
    names = [one["key"] for one in lines(folder.path, "items") if one["language"] == "en" and chooses(one, 0.25)]
    keep_pick(folder, parse_pick(f"endpoint=accuracy,share={0.25}"))
    lost = set(names[: round(len(names) / 100)]) if len(names) % 100 == 0 else set()
    margin = 1 / len(names) if not lost else 0.01
    lost = lost or {names[0]}
    keep_margins(folder, {"accuracy": margin})
    worse = _rescored(folder, lambda one: not (one["variant"] == "lens[start_layer=26]" and one["item"] in lost))
    found = choice(worse)
    assert [one.admission for one in found.candidates] == ["english below the margin", "admissible"]
    assert found.candidates[0].english_development.delta == pytest.approx(-margin)
    keep_margins(folder, {"accuracy": 1.01 * margin})
    assert [one.admission for one in choice(RunFolder(folder.path)).candidates] == ["admissible", "admissible"]


def test_none_admissible_is_a_state_of_its_own(tmp_path: Path) -> None:
    folder = picked_run(tmp_path / "run", gains={26: (0.1, -0.1), 27: (0.1, -0.12)}, items=200)
    found = results(folder)
    assert found.picked is not None
    (method,) = found.picked.methods
    assert (method.state, method.setting, method.variants, method.optimism) == ("none admissible", None, (), None)
    assert not any(one.p_holm is not None for one in found.averages) and found.pairs == ()
    write_results(folder)
    shown = lb.load(folder.path).answer()
    said = next(block for block in shown.blocks if getattr(block, "title", "") == "How was the setting chosen?")
    assert any("none of 2 settings was chosen: 2 lost 1 point or more in English" in text for text, _ in said.sentences)


def test_without_english_nothing_is_demanded_of_it(tmp_path: Path) -> None:
    found = choice(picked_run(tmp_path / "run", languages=("zh", "sw"), items=80))
    assert {one.admission for one in found.candidates} == {"admissible"} and found.margin is None and found.english_cells == ()
    best = max(found.candidates, key=lambda one: one.development.delta or 0)
    assert best.chosen


def test_lower_is_better(tmp_path: Path) -> None:
    """With the direction turned round, the lowest mean is chosen, a rise in English is the loss, and flattery is below zero."""
    folder = picked_run(tmp_path / "run", gains={26: (0.05, 0.0), 27: (-0.08, 0.0), 28: (-0.1, 0.1)}, items=150)
    about = json.loads((folder.path / "variants.json").read_text(encoding="utf-8"))
    for facts in about["tasks"].values():
        facts["higher_is_better"] = {"acc": False}
    (folder.path / "variants.json").write_text(json.dumps(about), encoding="utf-8")
    found = choice(RunFolder(folder.path))
    by_name = {one.setting: one for one in found.candidates}
    for one in found.candidates:
        assert one.english_development.delta is not None
        assert (one.admission == "admissible") == (one.english_development.delta < 0.01)
    admissible = [one for one in found.candidates if one.admission == "admissible"]
    (method,) = found.methods
    chosen = by_name[str(method.setting)]
    assert chosen.development.delta == min(one.development.delta or 0 for one in admissible)
    assert method.optimism == pytest.approx((chosen.test.delta or 0) - (chosen.development.delta or 0))
    assert (method.optimism_low or 0) < (method.optimism or 0) < (method.optimism_high or 0)


def test_a_validation_split_chooses_and_reports_nothing(tmp_path: Path) -> None:
    folder = picked_run(tmp_path / "run", "validation,endpoint=accuracy", items=60, validation=25)
    found = results(folder)
    assert found.picked is not None
    assert {(one.development, one.test, one.split) for one in found.picked.counts} == {(25, 60, "validation")}
    assert {cell.n for cell in found.cells} == {60} == {cell.planned for cell in found.cells}
    # Without the rule the validation items are still no items of the task.
    set_pick(RunFolder(folder.path), None)
    assert {cell.n for cell in results(RunFolder(folder.path)).cells} == {60}


def test_an_endpoint_that_nothing_has_chooses_nothing(tmp_path: Path) -> None:
    found = results(picked_run(tmp_path / "run", "endpoint=rating", items=40))
    assert found.picked is not None
    assert [one.state for one in found.picked.methods] == ["not measured"] and found.picked.metric is None
    assert set(found.left_out) == set(found.variants) - {"base"}


def test_a_rule_set_after_the_results_is_called_so(tmp_path: Path) -> None:
    folder = swept_run(tmp_path / "run", GAINS, items=60)
    write_results(folder)
    run = lb.load(folder.path)
    assert "pick" not in run.results
    run.set_pick("share=0.4")
    assert run.results["pick"]["before_results"] is False and run.results["pick"]["endpoint"] == "accuracy"
    assert "someone may have seen the test items" in (folder.path / "report.md").read_text(encoding="utf-8")
    run.set_pick(None)
    assert "pick" not in run.results and {cell["n"] for cell in run.results["cells"]} == {60}


def test_a_rule_from_before_stays_so_until_rule_or_margin_change(tmp_path: Path) -> None:
    folder = picked_run(tmp_path / "run", items=60)
    write_results(folder)
    keep_pick(folder, parse_pick("endpoint=accuracy"))
    kept = read_pick(folder)
    assert kept is not None and kept.before_results
    run = lb.load(folder.path)
    run.set_english_margin(3)
    assert run.results["pick"]["before_results"] is False and run.results["pick"]["margin"] == pytest.approx(0.03)
    run.set_english_margin(1)
    assert run.results["pick"]["before_results"] is True
    run.set_pick("share=0.2,endpoint=accuracy")
    assert run.results["pick"]["before_results"] is False


@pytest.mark.parametrize(
    "content",
    ["[]", "{}", '{"rule": 3, "version": 1}', '{"rule": "share=2", "version": 1}', '{"rule": "share=0.3", "version": 9}'],
)
def test_a_damaged_rule_is_no_default(tmp_path: Path, content: str) -> None:
    folder = picked_run(tmp_path / "run", items=20)
    (folder.path / PICK_FILE).write_text(content, encoding="utf-8")
    with pytest.raises(RunError, match=r"pick\.json"):
        collect_results(RunFolder(folder.path))


def test_stored_results_serve_until_the_rule_changes(tmp_path: Path) -> None:
    folder = picked_run(tmp_path / "run", items=60)
    write_results(folder)
    assert current_results(folder)["pick"]["share"] == 0.3
    shutil.copy(folder.path / PICK_FILE, tmp_path / "kept.json")
    (folder.path / PICK_FILE).write_text(
        (tmp_path / "kept.json").read_text(encoding="utf-8").replace("share=0.3", "share=0.5"), encoding="utf-8"
    )
    assert current_results(RunFolder(folder.path))["pick"]["share"] == 0.5


@pytest.mark.parametrize(
    ("gains", "rule", "says"),
    [
        ({26: (0.0, 0.0)}, "share=0.3", "no method of this run has several settings"),
        (GAINS, "validation", "this run asked no validation items"),
        (GAINS, "share=0.000001", "leaves one side without items"),
        (GAINS, "share=0.999999", "leaves one side without items"),
    ],
)
def test_rules_that_a_finished_run_cannot_take(tmp_path: Path, gains: dict, rule: str, says: str) -> None:
    folder = swept_run(tmp_path / "run", gains, items=30)
    with pytest.raises(UsageError, match=says):
        set_pick(folder, rule)
    assert not folder.has(PICK_FILE)


def test_two_runs_are_compared_on_items_that_chose_nothing(tmp_path: Path) -> None:
    plain, picked = swept_run(tmp_path / "a", GAINS, items=60), picked_run(tmp_path / "b", items=60)
    for folder in (plain, picked):
        write_results(folder)
    found = lb.compare(plain.path, picked.path, variant="base", with_variant="base")
    tests = {(one.task, one.language): one.test for one in choice(picked).counts}
    assert {(one["task"], one["language"]): one["n"] for one in found.as_dict()["cells"]} == tests


def test_an_older_result_has_no_choice() -> None:
    old = Path(__file__).parents[1] / "support" / "old_run" / "lens"
    found = read_results(current_results(RunFolder.existing(old, lenient=True)))
    assert found.picked is None and found.left_out == frozenset() and found.called("lens") == "lens"


def test_a_candidate_is_read_as_it_was_written(tmp_path: Path) -> None:
    found = choice(picked_run(tmp_path / "run", items=40))
    assert Picked.of(json.loads(json.dumps(found.as_dict()))) == found
    assert all(
        isinstance(one, Candidate) and one.differs == {"start_layer": one.differs["start_layer"]} for one in found.candidates
    )
    assert np.isfinite([one.development.delta or 0 for one in found.candidates]).all()

"""The table of settings of a simulated sweep: against its averages one by one, and against the truth it was drawn from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from simulated_sweep import gain, loss, name_of, sweep_run

from lensbench.numbers.results import collect_results
from lensbench.numbers.run_results import Results, read_results
from lensbench.numbers.sweep_table import MeasureTable, SweepTable, sweep_table_of
from lensbench.records import RunFolder

FAILED = name_of({"start_layer": 26, "push_strength": 1.0}, 2)
STRETCH = 0.75 / 0.7
"""By how much more of the simulated items are right than `simulated_run._closed` is told: the slope of its uniform difficulty."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return sweep_run(tmp_path_factory.mktemp("sweep") / "run", items=60, failed=[FAILED])


@pytest.fixture(scope="module")
def results(run: RunFolder) -> Results:
    return read_results(collect_results(run))


@pytest.fixture(scope="module")
def table(run: RunFolder, results: Results) -> SweepTable:
    return sweep_table_of(run, results)


def of(table: SweepTable, metric: str) -> MeasureTable:
    return next(one for one in table.measures if one.metric.name == metric)


def test_twelve_settings_of_three_seeds(table: SweepTable) -> None:
    (sweep,) = table.sweeps
    assert len(sweep.settings) == 12 and table.varies and table.seeded
    assert {switch.name: switch.values for switch in sweep.switches} == {
        "start_layer": (26, 27, 28, 29),
        "push_strength": (0.25, 0.5, 1.0),
    }
    fitted = {setting.name: (len(setting.variants), list(setting.failed)) for setting in sweep.settings}
    assert fitted.pop("lens[start_layer=26,push_strength=1]") == (2, [FAILED])
    assert all(own == (3, []) for own in fitted.values())


def test_numbers_are_the_means_of_the_variants_averages(table: SweepTable, results: Results) -> None:
    averages = {(a.metric, a.role, a.language, a.variant): a for a in results.averages}
    for measure in table.measures:
        name = measure.metric.name
        places = [("endpoint", None, measure.targets), ("english", "en", measure.english)]
        places += [("language", code, numbers) for code, numbers in measure.languages.items()]
        assert {code for _, code, _ in places} == {None, "en", "zh", "ja"}
        for role, language, numbers in places:
            for setting in table.settings:
                number = numbers[setting.name]
                own = [averages[name, role, language, variant] for variant in setting.variants]
                assert number.delta == pytest.approx(np.mean([average.delta for average in own]))
                assert list(number.seeds.values()) == [average.delta for average in own]
                assert list(number.verdicts.values()) == [average.verdict for average in own]
                assert number.covers == "seeds and items" and number.low < number.delta < number.high


def test_intervals_are_those_of_the_seed_groups_and_decide_on_english(table: SweepTable, results: Results) -> None:
    groups = {(g.metric, g.role, g.language, g.variants): g for g in results.seed_groups}
    for measure in table.measures:
        for setting in table.settings:
            english = measure.english[setting.name]
            group = groups[measure.metric.name, "english", "en", setting.variants]
            assert (english.low, english.high) == (group.delta_low, group.delta_high) and english.margin == 0.01
            wanted = "worse" if english.high < 0 else "shown" if english.low > -0.01 else "not shown"
            assert english.retention == wanted and english.at_worst == english.low


def test_the_truth_is_in_most_intervals(table: SweepTable) -> None:
    measure = of(table, "acc")
    hits = []
    for setting in table.settings:
        for numbers, truth in ((measure.targets, gain(setting.values)), (measure.english, loss(setting.values))):
            number = numbers[setting.name]
            hits.append(number.low <= STRETCH * truth <= number.high)
    # 24 intervals of 95% that share their items; with one of three seeds lost for one setting.
    assert sum(hits) >= 20


def test_the_front_holds_what_nothing_beats_base_included(table: SweepTable) -> None:
    for measure in table.measures:
        points = {s.name: (measure.targets[s.name].delta, measure.english[s.name].delta) for s in table.settings}
        points["base"] = (0.0, 0.0)
        wanted = {
            name for name, (a, b) in points.items() if not any(c >= a and d >= b and (c, d) != (a, b) for c, d in points.values())
        }
        assert set(measure.front.members) == wanted


def test_the_best_come_first_and_what_has_no_number_last(table: SweepTable) -> None:
    measure = of(table, "acc")
    ordered = [measure.targets[setting.name].delta for setting in measure.best_first(table.settings)]
    assert ordered == sorted(ordered, reverse=True)


def test_a_setting_whose_fits_all_failed_stays_and_says_so(tmp_path: Path) -> None:
    lost = [name_of({"start_layer": 3}, None)]
    folder = sweep_run(tmp_path / "run", {"start_layer": (2, 3, 4)}, (0,), items=12, tasks=("xcopa",), failed=lost)
    table = sweep_table_of(folder, read_results(collect_results(folder)))
    (measure,) = table.measures
    number = measure.targets[lost[0]]
    assert (number.delta, number.why) == (None, "could not be fitted")
    assert measure.best_first(table.settings)[-1].name == lost[0]
    assert {n.covers for name, n in measure.targets.items() if name != lost[0]} == {"items"} and not table.seeded

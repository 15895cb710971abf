"""What a run says of its choice: sentences, the table of candidates, the figure, and text of strangers."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from conftest import Here
from swept_run import swept_run

import lensbench as lb
from lensbench.errors import UsageError
from lensbench.numbers.picking.kept import keep_pick
from lensbench.numbers.picking.rule import parse_pick
from lensbench.records import RunFolder
from lensbench.reporting.answer import answer_of
from lensbench.reporting.figures.pick import pick_panels
from lensbench.reporting.run_view import RunView
from lensbench.reporting.text.pick_table import pick_table
from lensbench.stages.results import write_results

GAINS = {26: (0.02, 0.0), 27: (0.07, 0.02), 28: (0.1, -0.1), 29: (0.03, 0.01)}


def made(path: Path, **choices: object) -> RunFolder:
    folder = swept_run(path, choices.pop("gains", GAINS), **choices)  # type: ignore[arg-type]
    keep_pick(folder, parse_pick("endpoint=accuracy"))
    write_results(folder)
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return made(tmp_path_factory.mktemp("views") / "run", items=300, others=("xsft",))


def test_the_sentences_hold_the_numbers_of_the_results(run: RunFolder) -> None:
    content = run.read_json("results.json")["pick"]
    method = next(one for one in content["methods"] if one["method"] == "lens")
    chosen = next(one for one in content["candidates"] if one["chosen"])
    answer = answer_of(RunView.of(run))
    lens, xsft, items, *rest = answer.chosen

    def shown(value: float, low: float, high: float) -> str:
        points = [f"{100 * number:+.1f}" for number in (value, low, high)]
        return "{} points [{}, {}]".format(*(p if p.strip("+-0.") else p.replace("-", "+") for p in points))

    sides = [shown(*(chosen[side][name] for name in ("delta", "delta_low", "delta_high"))) for side in ("development", "test")]
    optimism = shown(method["optimism"], method["optimism_low"], method["optimism_high"])
    assert lens.whole == (
        f"{chosen['setting']}: chosen among 4 settings on the development items: accuracy {sides[0]} there, {sides[1]} on the "
        f"test items; optimism of the choice {optimism}."
    )
    assert xsft.whole == "xsft: one setting, so there was nothing to choose."
    development, test = (sum(one[side] for one in content["counts"]) for side in ("development", "test"))
    assert development + test == 2 * 3 * 300
    assert items.whole == (
        f"{development} development items chose (xcopa, m_mmlu: 30% of the source items by a hash of their names), {test} test "
        "items report. All other numbers here are of test items. A setting that lost 1 point or more in English on the "
        "development items could not be chosen."
    )
    assert rest == []


def test_the_run_speaks_of_chosen_settings_only(run: RunFolder) -> None:
    view = RunView.of(run)
    answer = answer_of(view)
    chosen = next(one for one in view.results.picked.candidates if one.chosen).variants  # type: ignore[union-attr]
    assert set(answer.variants) == {*chosen, "xsft"}
    said = " ".join(one.whole for _, statements in answer.questions[:4] for one in statements)
    assert not any(name in said for name in view.results.left_out) and all(name in said for name in chosen)
    assert "The 3 fits that were tried and not chosen took 3m00s together." in said
    assert {name for measure in answer.measures for name in measure.targets} == {"base", *chosen, "xsft"}


def test_the_table_has_a_row_for_each_setting(run: RunFolder) -> None:
    results = RunView.of(run).results
    table = pick_table(results)
    assert table is not None and results.picked is not None
    assert [row[0] for row in table.rows] == [one.setting for one in results.picked.candidates]
    assert [row[-1] for row in table.rows].count("chosen") == 1
    assert [row[-1] == "loses too much English" for row in table.rows] == [
        one.admission == "english below the margin" for one in results.picked.candidates
    ]
    assert all(len(row) == len(table.header) for row in table.rows)
    assert sum(count for _, count in table.groups) == len(table.header) - table.keys


@pytest.mark.parametrize("columns", ["80", "140"])
def test_show_cuts_nothing(run: RunFolder, here: Here, monkeypatch: pytest.MonkeyPatch, columns: str) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    code, shown = here("show", run.path)
    assert code == 0 and "How was the setting chosen?" in shown and "…" not in shown
    assert max(map(len, shown.splitlines())) <= int(columns)
    assert all(f"lens[start_layer={layer}]" in shown for layer in GAINS)
    code, everything = here("show", run.path, "--all")
    assert code == 0 and "(not chosen)" in everything and "The numbers are of the test items." in " ".join(everything.split())


def test_without_english_or_with_few_items_it_says_so(tmp_path: Path) -> None:
    folder = made(tmp_path / "run", items=40, languages=("zh", "sw"))
    said = [one.whole for one in answer_of(RunView.of(folder)).chosen]
    assert any("English was not asked, so nothing was demanded of it." in text for text in said)
    assert any(re.search(r"Few items chose \(\d+ source items in ", text) for text in said)
    table = pick_table(RunView.of(folder).results)
    assert table is not None and len(table.header) == 6
    assert len(lb.figure("pick", [folder.path]).figure.axes) == 1


def test_the_figure_has_both_curves_and_the_line_of_harm(run: RunFolder) -> None:
    results = RunView.of(run).results
    assert results.picked is not None
    top, bottom = lb.figure("pick", [run.path]).figure.axes
    for axes, sides in ((top, ("development", "test")), (bottom, ("english_development", "english_test"))):
        for line, side in zip([line for line in axes.lines if line.get_linestyle() != "None"][:2], sides, strict=True):
            told = [100 * getattr(one, side).delta for one in results.picked.candidates]
            assert list(line.get_ydata()) == pytest.approx(told)
            assert [round(x) for x in line.get_xdata()] == list(GAINS)
    harm = [line for line in bottom.lines if line.get_color() == "#d55e00"]
    assert len(harm) == 1 and set(harm[0].get_ydata()) == {-1.0}
    spans = [segment for collection in top.collections for segment in collection.get_segments()]
    low = [100 * end for one in results.picked.candidates for end in (one.development.delta_low, one.test.delta_low)]
    assert sorted(min(y for _, y in segment) for segment in spans) == pytest.approx(sorted(low))
    assert top.get_xlabel() == "" and bottom.get_xlabel() == "first changed block"


def test_settings_that_are_no_numbers_stand_side_by_side(tmp_path: Path) -> None:
    folder = made(tmp_path / "run", items=40)
    spec = json.loads((folder.path / "run.json").read_text(encoding="utf-8"))
    for entry, rank in zip(spec["spec"]["methods"], (1, "all", 1, "all"), strict=True):
        entry["config"]["rank"] = rank
    (folder.path / "run.json").write_text(json.dumps(spec), encoding="utf-8")
    (panel,) = pick_panels(RunView.of(RunFolder(folder.path)))
    assert panel.field == "" and list(panel.positions) == [0, 1, 2, 3]
    assert panel.names[1] == "start_layer=27\nrank=all"


def test_a_run_that_chose_nothing_has_no_such_figure(tmp_path: Path) -> None:
    folder = swept_run(tmp_path / "run", GAINS, items=20)
    write_results(folder)
    with pytest.raises(UsageError, match="chose no setting"):
        lb.figure("pick", [folder.path])
    other = made(tmp_path / "other", items=20)
    with pytest.raises(UsageError, match="of one run, here are 2"):
        lb.figure("pick", [folder.path, other.path])


HOSTILE = "<script>alert(1)</script>\x1b[31m"


def test_names_of_a_strangers_results_are_shown_as_text(tmp_path: Path, here: Here) -> None:
    folder = made(tmp_path / "run", items=60)
    content = folder.read_json("results.json")
    for one in content["pick"]["candidates"]:
        one["setting"] = one["setting"] + HOSTILE
    for one in content["pick"]["methods"]:
        one["setting"] = HOSTILE
        one["tied"] = [HOSTILE]
    view = lb.load(folder.path)
    (folder.path / "variants.json").unlink()
    (folder.path / "results.json").write_text(json.dumps(content), encoding="utf-8")
    assert "<script" not in view.answer()._repr_html_()
    code, shown = here("show", folder.path)
    assert code == 0 and "\x1b" not in shown


@pytest.mark.parametrize(
    "change", [{"counts": 3}, {"candidates": [{}]}, {"methods": [{"method": 1}]}, {"share": "a"}, {"left_out": "lens"}]
)
def test_a_choice_of_another_shape_is_refused_or_made_again(tmp_path: Path, change: dict) -> None:
    folder = made(tmp_path / "run", items=30)
    content = folder.read_json("results.json")
    content["pick"] |= change
    (folder.path / "results.json").write_text(json.dumps(content), encoding="utf-8")
    assert lb.load(folder.path).results["pick"]["rule"] == "share=0.3,endpoint=accuracy"
    (folder.path / "variants.json").unlink()
    with pytest.raises(lb.LensbenchError, match=r"results\.json"):
        assert lb.load(folder.path).results

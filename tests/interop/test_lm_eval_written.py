"""The files in lm-eval's format that a run writes: lm-eval's own finders see them, and one set stands there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import Cli
from simulated_run import simulate

from lensbench.errors import UsageError
from lensbench.records import RunFolder
from lensbench.stages.results import write_results


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    folder = simulate(tmp_path / "run", items=5, variants=("base", "lens"), languages=("en", "zh"), tasks=("xcopa", "m_mmlu"))
    _start(folder, "2026-03-04T05:06:07+00:00")
    return folder


def _start(folder: RunFolder, time: object) -> None:
    starts = json.loads((folder.path / "provenance.json").read_text())["starts"]
    (folder.path / "provenance.json").write_text(json.dumps({"starts": [*starts, {**starts[-1], "time": time}]}))


def _names(folder: RunFolder, variant: str = "lens") -> list[str]:
    return sorted(path.name for path in (folder.path / "lm_eval" / variant).iterdir())


def test_lm_evals_own_finders_see_them(run: RunFolder, cli: Cli, tmp_path: Path) -> None:
    from lm_eval.utils import (
        get_file_datetime,
        get_file_task_name,
        get_latest_filename,
        get_results_filenames,
        get_sample_results_filenames,
    )

    write_results(run)
    home = run.path / "lm_eval" / "lens"
    # As lm-eval's tracker lists a repository: paths below its root.
    listed = [f"lens/{path.name}" for path in home.iterdir()]
    date = "2026-03-04T05-06-07.000000"
    assert get_results_filenames(listed) == [f"lens/results_{date}.json"]
    assert get_latest_filename(get_results_filenames(listed)) == f"lens/results_{date}.json"
    samples = get_sample_results_filenames(listed)
    tasks = {"xcopa_en", "xcopa_zh", "m_mmlu_en", "m_mmlu_zh"}
    assert {get_file_task_name(name.removeprefix("lens/")) for name in samples} == tasks
    assert {get_file_datetime(name) for name in samples} == {date}
    content = json.loads((home / f"results_{date}.json").read_text(encoding="utf-8"))
    assert set(content["results"]) == tasks and content["date"] == 1772600767.0

    # And what was written is read again: both variants, item by item, with the run's own numbers.
    done = cli("import-lm-eval", run.path / "lm_eval" / "base", f"lens={home}", "--to", tmp_path / "again")
    assert done.returncode == 0, done.stderr
    own, again = (
        {
            (c["variant"], c["task"], c["language"]): (c["value"], c["n"], c["delta"])
            for c in found["cells"]
            if c["metric"] == "acc"
        }
        for found in (run.read_json("results.json"), RunFolder(tmp_path / "again").read_json("results.json"))
    )
    assert len(own) == 8 and own.keys() == again.keys()
    for place, (value, n, delta) in own.items():
        # An item without a score is no item for lm-eval.
        assert again[place][0] == pytest.approx(value) and again[place][1] <= n and (again[place][2] is None) == (delta is None)


def test_one_set_stands_there_when_a_run_goes_on(run: RunFolder) -> None:
    home = run.path / "lm_eval" / "lens"
    home.mkdir(parents=True)
    for name in ("results.json", "samples_xcopa_zh.jsonl", "samples_gone_zh.jsonl"):
        (home / name).write_text("{}", encoding="utf-8")
    (home / "notes.txt").write_text("mine", encoding="utf-8")
    write_results(run)
    first = _names(run)
    date = "2026-03-04T05-06-07.000000"
    samples = [f"samples_{name}_{date}.jsonl" for name in ("m_mmlu_en", "m_mmlu_zh", "xcopa_en", "xcopa_zh")]
    assert first == ["notes.txt", f"results_{date}.json", *samples]
    # Results that are made again, by `judge` say, are those of the same start.
    write_results(run)
    assert _names(run) == first
    _start(run, "2026-03-05T05:06:07+00:00")
    write_results(run)
    assert _names(run) == [name.replace("2026-03-04", "2026-03-05") for name in first]


@pytest.mark.parametrize("time", [None, "yesterday", "../../../x"])
def test_a_start_without_a_date_is_dated_now(run: RunFolder, time: object) -> None:
    from lm_eval.utils import get_results_filenames

    _start(run, time)
    write_results(run)
    (found,) = get_results_filenames([f"lens/{name}" for name in _names(run)])
    assert found > "lens/results_2026-03"


def test_names_in_records_do_not_lead_out(run: RunFolder, tmp_path: Path) -> None:
    path = run.path / "items" / "items.jsonl"
    path.write_text(path.read_text(encoding="utf-8").replace('"task":"xcopa"', '"task":"../../../x"'), encoding="utf-8")
    path.write_text(path.read_text(encoding="utf-8").replace('"task": "xcopa"', '"task": "../../../x"'), encoding="utf-8")
    with pytest.raises(UsageError, match="cannot be the name of a task"):
        write_results(run)
    assert [p.name for p in tmp_path.iterdir()] == ["run"]

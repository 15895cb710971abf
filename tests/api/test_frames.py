"""A run as pandas frames, compared with the records read line by line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas
import pytest
from simulated_run import simulate

import lensbench
from lensbench.errors import UsageError
from lensbench.records import RunFolder
from lensbench.stages.results import write_results


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    folder = simulate(
        tmp_path_factory.mktemp("frames") / "run",
        items=8,
        variants=("base", "lens"),
        languages=("en", "bn"),
        tasks=("xcopa", "mt_bench"),
    )
    path = folder.path / "items" / "answers.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines()
    lines[0] = json.dumps({**json.loads(lines[0]), "text": "half a pair \ud83d and on"})
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    write_results(folder)
    return folder


def records(folder: RunFolder, stage: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder.path / "items" / f"{stage}.jsonl").read_text(encoding="utf-8").splitlines()]


def test_items_are_the_records(run: RunFolder) -> None:
    frame = lensbench.load(run.path).items
    closed, spoken = frame[frame.turn == 0], frame[frame.turn > 0]
    scored, answered = records(run, "score"), records(run, "answers")
    assert len(closed) == len(scored) == 32 and len(spoken) == len(answered) == 64
    for row, record in zip(closed.itertuples(), scored, strict=True):
        assert (row.item, row.variant, row.state) == (record["item"], record["variant"], record["state"])
        assert list(row.loglikelihoods) == record["loglikelihoods"]
        if record["state"] == "ok":
            best = max(record["loglikelihoods"])
            assert row.acc == record["metrics"]["acc"] and record["loglikelihoods"][int(row.pick)] == best
    ratings = {r["answer"]: r["rating"] for r in records(run, "verdicts")}
    spoke = {turn["answer"]: turn["cell"] for r in records(run, "identified") for turn in r["turns"]}
    sure = {turn["answer"]: turn["probability"] for r in records(run, "identified") for turn in r["turns"]}
    for (_, row), record in zip(spoken.iterrows(), answered, strict=True):
        probability = sure[record["key"]]
        assert pandas.isna(row["probability:lid176"]) if probability is None else row["probability:lid176"] == probability
        assert 0 <= row["repetition"] <= 1
        assert (row["item"], row["turn"], row["tokens"]) == (record["item"], record["turn"], record["tokens"])
        assert row["text"] == record["text"].replace("\ud83d", "\ufffd") and row["answered:lid176"] == spoke[record["key"]]
        rating = ratings[record["key"]]
        assert pandas.isna(row["rating:strict"]) if rating is None else row["rating:strict"] == rating


def test_unlike_identifiers_have_columns_of_their_own(run: RunFolder, tmp_path: Path) -> None:
    import shutil

    copy = RunFolder(shutil.copytree(run.path, tmp_path / "copy"))
    first = records(copy, "identified")
    for signature in ("other:1", "other:2"):
        with copy.log("identified") as log:
            log.append({**r, "key": r["key"] + signature, "identifier": signature, "metrics": {"lf_turn1": 0.25}} for r in first)
    frame = lensbench.load(copy.path).items
    spoken = frame[frame.turn > 0]
    assert {"lf_turn1:lid176", "lf_turn1:other:1", "lf_turn1:other:2"} <= set(frame.columns) and "lf_turn1" not in frame.columns
    assert set(spoken["lf_turn1:other:2"]) == {0.25}
    before = lensbench.load(run.path).items
    assert list(spoken["lf_turn1:lid176"]) == list(before[before.turn > 0]["lf_turn1:lid176"])


def test_means_of_items_are_the_cells(run: RunFolder) -> None:
    frames = lensbench.load(str(run.path))
    accuracy = frames.items[frames.items.turn == 0].groupby(["language", "variant"]).acc.mean()
    cells = frames.cells[frames.cells.metric == "acc"].set_index(["language", "variant"]).value
    assert accuracy.to_dict() == pytest.approx(cells.to_dict()) and len(cells) == 4
    rating = frames.items[frames.items.turn > 0].groupby(["language", "variant"])["rating:strict"].mean()
    cells = frames.cells[frames.cells.metric == "rating"].set_index(["language", "variant"]).value
    assert rating.to_dict() == pytest.approx(cells.to_dict()) and len(cells) == 4


def test_parquet_holds_the_same(cli: Any, run: RunFolder, tmp_path: Path) -> None:
    done = cli("results", run.path, "--parquet", "--to", tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(tmp_path / "items.parquet"), str(tmp_path / "cells.parquet")]
    frames = lensbench.load(run.path)
    for name, frame in (("items", frames.items), ("cells", frames.cells)):
        stored = pandas.read_parquet(tmp_path / f"{name}.parquet")
        assert list(stored.columns) == list(frame.columns) and len(stored) == len(frame)
    items = pandas.read_parquet(tmp_path / "items.parquet")
    assert items.text.dropna().tolist() == frames.items.text.dropna().tolist()
    assert not list(tmp_path.glob("*.partial"))
    refused = cli("results", run.path)
    assert refused.returncode == 2 and "--parquet" in refused.stderr


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no run at"):
        lensbench.load(tmp_path)

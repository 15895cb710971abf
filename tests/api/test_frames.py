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
    names = ("items", "cells", "averages")
    assert done.stdout.split() == [str(tmp_path / f"{name}.parquet") for name in names]
    frames = lensbench.load(run.path)
    for name in names:
        frame, stored = getattr(frames, name), pandas.read_parquet(tmp_path / f"{name}.parquet")
        assert list(stored.columns) == list(frame.columns) and len(stored) == len(frame) > 0
        whole = [column for column in frame if str(frame[column].dtype) == "Int64"]
        assert whole and all(str(stored[column].dtype) == "Int64" for column in whole)
    items = pandas.read_parquet(tmp_path / "items.parquet")
    assert items.text.dropna().tolist() == frames.items.text.dropna().tolist()
    assert not list(tmp_path.glob("*.partial"))
    refused = cli("results", run.path)
    assert refused.returncode == 2 and "--parquet" in refused.stderr


def test_whole_numbers_stay_whole(run: RunFolder) -> None:
    frames = lensbench.load(run.path)
    for frame, columns in (
        (frames.items, ("doc_id", "seed", "turn", "pick", "tokens")),
        (frames.cells, ("n", "planned", "failures", "clusters", "tied", "repeats", "seed")),
        (frames.averages, ("n", "clusters", "unnamed", "seed")),
    ):
        assert {str(frame[column].dtype) for column in columns} == {"Int64"}
        assert ".0" not in frame[list(columns)].to_csv(index=False)


def test_source_and_seed_stand_beside_every_item(run: RunFolder) -> None:
    frame = lensbench.load(run.path).items
    sources = {r["key"]: r.get("source") for r in records(run, "items")}
    given = frame.item.map(sources)
    assert frame.source.isna().tolist() == given.isna().tolist() and (frame.source.dropna() == given.dropna().map(str)).all()
    fitted = run.read_json("variants.json")["variants"]
    seeds = {name: about.get("seed") for name, about in fitted.items()}
    assert [None if pandas.isna(seed) else seed for seed in frame.seed] == [seeds[name] for name in frame.variant]


def test_averages_and_pairs_are_those_of_the_results(run: RunFolder) -> None:
    opened = lensbench.load(run.path)
    stored = json.loads((run.path / "results.json").read_text(encoding="utf-8"))
    frame = opened.averages
    assert len(frame) == len(stored["averages"]) > 0
    for (_, row), average in zip(frame.iterrows(), stored["averages"], strict=True):
        assert (row.role, row.variant, row.metric, row.cells.split()) == (
            average["role"],
            average["variant"],
            average["metric"],
            average["cells"],
        )
        for name in ("value", "delta", "delta_low", "p_holm", "verdict", "retention", "at_worst"):
            assert pandas.isna(row[name]) if average[name] is None else row[name] == average[name]
    endpoints = frame.query("role == 'endpoint' and variant == 'lens'")
    assert len(endpoints) == 3 and endpoints.verdict.notna().all()
    better = frame.query("role == 'endpoint' and verdict == 'better'")
    assert len(better) == sum(a["role"] == "endpoint" and a["verdict"] == "better" for a in stored["averages"])
    assert len(opened.pairs) == len(stored["pairs"]) == 0
    assert {"variant", "other", "delta", "verdict"} <= set(opened.pairs.columns)


def test_cells_are_exploratory_and_can_still_be_asked_for_verdicts(run: RunFolder) -> None:
    cells = lensbench.load(run.path).cells
    assert cells.query("verdict == 'better'").empty and set(cells.verdict.dropna()) == {"exploratory"}
    assert {"chance", "leads"} <= set(cells.columns) and all(isinstance(leads, str) for leads in cells.leads)


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no run at"):
        lensbench.load(tmp_path)

"""A metric of the corpus from the records of a run: value, interval, difference and test, and what cannot be said of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scored_run import write_run

import lensbench.metrics.registry as registry
from lensbench.metrics import NUMBER, Corpus, Metric
from lensbench.numbers.compare import compare
from lensbench.numbers.summarise import summary
from lensbench.records import RunFolder

NATS = Metric(
    "nats_per_byte",
    "nats per byte",
    NUMBER,
    higher_is_better=False,
    corpus=Corpus(lambda item: (0.0, 1.0), lambda sums: np.asarray(sums[..., 0] / sums[..., 1])),
)
BYTES = np.tile([2.0, 5.0, 20.0], 8)
BASE = np.tile([6.0, 10.0, 30.0], 8)


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """24 items; lens needs half the nats of base on every one."""
    folder = write_run(tmp_path / "run", {("xcopa/zh", v): np.ones(24) for v in ("base", "lens")})
    path = folder.log_path("score")
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        place = int(record["item"].rpartition("/")[2])
        nats = BASE[place] * (1.0 if record["variant"] == "base" else 0.5)
        record["metrics"] = {NATS.name: nats / BYTES[place]}
        record["statistics"] = {NATS.name: [nats, BYTES[place]]}
        lines.append(json.dumps(record))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    about = folder.read_json("variants.json")
    about["tasks"]["xcopa/zh"]["higher_is_better"] = {NATS.name: False}
    folder.write_json("variants.json", about)
    return RunFolder(folder.path)


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.LM_EVAL, NATS.name, NATS)


@pytest.mark.usefixtures("known")
def test_it_is_computed_over_the_corpus(run: RunFolder) -> None:
    found = summary(run)
    base, lens = found.cells
    assert base.value == pytest.approx(46 / 27) and lens.value == pytest.approx(23 / 27)
    assert base.value != pytest.approx((BASE / BYTES).mean()), "it is no mean over items"
    assert lens.delta == pytest.approx(-23 / 27)
    assert lens.low is not None and lens.high is not None and lens.low < 23 / 27 < lens.high
    # Of 2**24 swaps a random 10,000 are tried; none but the observed one is as large.
    assert (lens.test, lens.p_value, lens.verdict) == ("swap", 1 / 10_001, "exploratory")
    assert lens.smallest_detectable is not None and lens.smallest_detectable > 0
    assert found.averages == [] and found.gaps == []
    assert base.n == lens.clusters == 24


def test_without_its_package_it_has_no_number_and_that_is_said(run: RunFolder) -> None:
    found = summary(run)
    assert [cell.value for cell in found.cells] == [None, None]
    assert found.gaps == ["nats_per_byte of xcopa/zh: it is of the corpus, and no installed package computes it"]


@pytest.mark.usefixtures("known")
def test_two_runs_are_not_compared_by_it(run: RunFolder) -> None:
    found = compare(run, run, "base", "lens")
    assert not found.cells and "metric of the corpus" in found.gaps[0].reason

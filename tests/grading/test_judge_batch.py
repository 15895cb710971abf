"""Judging by the batch API: submitted once, waited for across kills, paid once; its failures are asked one by one."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from judge_server import JudgeServer, rating
from judged_run import KEY, PRICES, Judging, build_run

POLL = ("--batch", "--poll-seconds", "0.05")
UNITS = 24


@pytest.fixture
def server() -> Iterator[JudgeServer]:
    with JudgeServer(batch_fails=lambda line: line % 5 == 2) as running:
        yield running


@pytest.fixture
def judging(server: JudgeServer, tmp_path: Path) -> Judging:
    judging = Judging(tmp_path, server.url)
    build_run(judging.out, items=3)
    return judging


def submitted(server: JudgeServer) -> int:
    return server.others.count(("POST", "/v1/batches"))


def batches(judging: Judging) -> Any:
    return json.loads((judging.out / "judge_batches.json").read_text())


def assert_judged(server: JudgeServer, judging: Judging) -> None:
    records = judging.records("verdicts")
    assert len(records) == len({record["answer"] for record in records}) == UNITS
    sent = {one.serial: one for one in [*server.batch_replies, *server.completed]}
    assert {record["reply"]["fingerprint"] for record in records} == set(sent)
    for record in records:
        assert (record["state"], record["rating"]) == ("ok", rating(sent[record["reply"]["fingerprint"]].digest))
        assert "\u2028 结论如下。" in record["reply"]["text"]


def test_killed_while_waiting_and_partial_failures(server: JudgeServer, judging: Judging) -> None:
    answers = judging.answers()
    for looks in (2, 4):
        start = judging.start(*POLL)
        start.until(lambda looks=looks: bool(server.batches) and server.batches[0].looks >= looks)
        assert start.stop(signal.SIGKILL) == -signal.SIGKILL
    assert "continuing with batch batch_0" in start.stderr
    assert submitted(server) == 1 and not server.asked and judging.answers() == answers
    (batch,) = server.batches
    bodies = {line["custom_id"]: line["body"] for line in batch.lines}
    assert len(bodies) == len(batch.lines) == len({json.dumps(body, sort_keys=True) for body in bodies.values()})
    assert all(body["model"] == "m" and body["max_tokens"] == 200 for body in bodies.values())

    server.finish_batch(batch)
    start = judging.finish(*POLL)
    assert start.process.exitcode == 0, start.stderr
    failed = [line["body"] for number, line in enumerate(batch.lines) if number % 5 == 2]
    assert submitted(server) == 1 and len(failed) >= 4
    order = lambda body: json.dumps(body, sort_keys=True)  # noqa: E731
    assert sorted((one.body for one in server.asked), key=order) == sorted(failed, key=order)
    assert_judged(server, judging)
    assert judging.answers() == answers and not judging.places_with(KEY)
    assert [b["collected"] for b in batches(judging)] == [True]
    # Half price for what came by the batch, the full one for the rest.
    micro = 0.0
    for one in [*server.batch_replies, *server.completed]:
        cached = one.usage["prompt_tokens_details"]["cached_tokens"]
        fresh = one.usage["prompt_tokens"] - cached
        usd = fresh * PRICES["input"] + cached * PRICES["cached_input"] + one.usage["completion_tokens"] * PRICES["output"]
        micro += usd * (0.5 if one in server.batch_replies else 1.0)
    noted = json.loads((judging.out / "judging.json").read_text())[-1]
    # A line that ended with 500 may have been written and charged; one without a response was never begun.
    assert noted["unknown_cost"] == len([n for n in range(len(batch.lines)) if n % 5 == 2 and n % 2])
    assert micro / 1e6 < noted["usd"] < micro / 1e6 + 0.5 * noted["unknown_cost"] * 0.02

    before = len(server.asked)
    assert judging.finish(*POLL).process.exitcode == 0
    assert submitted(server) == 1 and len(server.asked) == before


@pytest.mark.parametrize("cache", [(), ("--no-cache",)])
def test_killed_between_fetching_and_grading(server: JudgeServer, judging: Judging, cache: tuple[str, ...]) -> None:
    """What a batch brought is fetched again as long as its verdicts are not all written down."""
    server.freeze()
    start = judging.start(*POLL, *cache)
    start.until(lambda: bool(server.batches))
    server.finish_batch(server.batches[0])
    # The lines that failed are being asked one by one, and the server says nothing.
    start.until(lambda: server.held > 0)
    assert start.stop(signal.SIGKILL) == -signal.SIGKILL
    assert [b["collected"] for b in batches(judging)] == [False]
    server.thaw()
    # As if it had died before the first verdict was written.
    (judging.out / "items" / "verdicts.jsonl").write_bytes(b"")
    assert judging.finish(*POLL, *cache).process.exitcode == 0
    assert submitted(server) == 1
    assert_judged(server, judging)


def test_the_cap_is_looked_at_before_a_batch_goes_up(server: JudgeServer, judging: Judging) -> None:
    start = judging.finish(*POLL, "--max-usd", "0.01")
    assert start.process.exitcode == 1 and "Traceback" not in start.stderr
    assert "could cost $" in start.stderr and "Raise --max-usd" in start.stderr
    assert not server.files and not server.batches and not server.asked


def test_no_batch_where_everything_is_known(server: JudgeServer, judging: Judging, tmp_path: Path) -> None:
    assert judging.finish().process.exitcode == 0
    other = Judging(tmp_path, server.url, run="other")
    build_run(other.out, items=3)
    assert other.finish(*POLL).process.exitcode == 0
    assert not server.batches and len(other.records("verdicts")) == UNITS


def test_a_server_without_batches(server: JudgeServer, judging: Judging) -> None:
    judging.url = judging.url.removesuffix("/v1")
    start = judging.finish(*POLL)
    assert start.process.exitcode == 1 and "Traceback" not in start.stderr and "404" in start.stderr
    assert not judging.places_with(KEY)

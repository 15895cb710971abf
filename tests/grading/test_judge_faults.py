"""Fault drills of judging: a server that fails in every known way, kills, a money cap, and a key that must not leak.

What counts as right comes from the server: it knows which replies it sent to the last byte, and what it would bill.
"""

from __future__ import annotations

import json
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from judge_server import FATAL, ODD, REFUSED, TRANSIENT, UNREADABLE, JudgeServer, in_order, rating
from judged_run import KEY, KEY_ENV, PRICES, Judging, build_run

ITEMS, LANGUAGES, VARIANTS, TURNS = 9, 2, 2, 2
ALWAYS = 10_000
# One entry per distinct request, in the order they come first; spread out, so that each kill falls among faults.
PLAN: list[tuple[str, ...]] = [
    (),
    ("429-after",),
    ("cut-before",),
    (),
    ("no-usage",),
    ("eleven",),
    ("500", "malformed"),
    ("slow",),
    (),
    ("refusal", "refusal"),
    ("chinese-digits",),
    ("html",),
    ("cut-within",),
    (REFUSED,) * ALWAYS,
    ("no-rating", "eleven"),
    ("401",),
    (),
    ("500",) * ALWAYS,
    ("429", "500", "cut-before"),
    ("empty",),
    (),
    ("404",),
    ("malformed", "empty", "cut-within", "no-usage"),
    (),
    ("html",),
    (),
    ("refusal",),
    ("quota",),
    ("cut-within",),
    ("429-after",),
    (),
    ("500",),
    ("slow",),
    ("chinese-digits", "empty"),
]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., tuple[JudgeServer, Judging]]]:
    """A server with a script, and a run to be judged by it."""
    servers: list[JudgeServer] = []

    def make(script: Any = None, *, items: int = 3, awkward: bool = True, **judge: Any) -> tuple[JudgeServer, Judging]:
        servers.append(JudgeServer(script or (lambda asked: "ok")).__enter__())
        judging = Judging(tmp_path, servers[-1].url, **judge)
        build_run(judging.out, items=items, awkward=awkward)
        return servers[-1], judging

    yield make
    for server in servers:
        server.__exit__(None, None, None)


def assert_paid_once(server: JudgeServer, judging: Judging) -> None:
    """Every whole reply is in the log, once; no request was answered again after its verdict was there."""
    records = judging.records("verdicts")
    assert len({record["key"] for record in records}) == len(records)
    sent = Counter(one.serial for one in server.completed)
    fresh = Counter(record["reply"]["fingerprint"] for record in records if not record["from_cache"])
    assert set(sent.values()) == {1} and fresh == sent
    assert {record["reply"]["fingerprint"] for record in records} == set(sent)
    for digest, times in Counter(one.digest for one in server.completed).items():
        states = [one.fault in UNREADABLE for one in server.completed if one.digest == digest]
        # A second reply is asked for only where the first cannot be read.
        assert times == 1 or (times == 2 and states[0]), states


def finals(judging: Judging) -> dict[str, str]:
    """Answer -> its one final state. Fails where an answer has two verdicts that can be read, or none and no failure."""
    found: dict[str, str] = {}
    for record in judging.records("ungraded"):
        found[record["answer"]] = record["state"]
    by_answer: dict[str, list[dict[str, Any]]] = {}
    for record in judging.records("verdicts"):
        by_answer.setdefault(record["answer"], []).append(record)
    for answer, records in by_answer.items():
        assert [record["try"] for record in records] == list(range(len(records)))
        states = [record["state"] for record in records]
        assert "ok" not in states[:-1], states
        if states[-1] == "ok" or len(states) == 2:
            found[answer] = states[-1]
    asked = [json.loads(line)["key"] for line in judging.lines("answers")]
    assert set(found) == set(asked) and len(asked) == len(set(asked))
    return found


def assert_cells(judging: Judging, states: dict[str, str]) -> None:
    """results.json counts what the records say, by hand."""
    answers = {record["key"]: record for record in judging.records("answers")}
    cells = judging.cells()
    for language in ("en", "zh"):
        for variant in ("base", "lens"):
            mine = [s for key, s in states.items() if (answers[key]["language"], answers[key]["variant"]) == (language, variant)]
            cell = cells[language, variant, "rating"]
            assert (cell["n"], cell["planned"], cell["failures"]) == (len(mine), ITEMS * TURNS, len(mine) - mine.count("ok"))
            assert cell["states"] == dict(Counter(mine))


def test_every_fault_and_five_kills(serve: Callable[..., tuple[JudgeServer, Judging]]) -> None:
    server, judging = serve(in_order(PLAN), items=ITEMS, limits__concurrency=5)
    answers = judging.answers()
    kills = fatal = 0
    while True:
        # Refusals, failures and fatal errors can end a start early; what is left of the five kills comes with the next one.
        if kills < 5:
            server.freeze_after(len(server.completed) + 8)
        start = judging.start()
        while start.process.is_alive() and not (server.frozen and server.held):
            time.sleep(0.002)
        if not start.process.is_alive():
            code = start.wait()
            assert "Traceback" not in start.stderr
            assert judging.answers() == answers
            if code == 0:
                break
            assert code == 1, start.stderr
            fatal += 1
            continue
        # The server answers nobody. What it sent before is on its way to the log: a kill in the instant between a reply's arrival
        # and its writing cannot be told from a reply lost on the wire, by any client, and would have to be paid again.
        start.until(lambda: len([r for r in judging.records("verdicts") if not r["from_cache"]]) == len(server.completed))
        assert server.held > 0
        assert start.stop(signal.SIGKILL) == -signal.SIGKILL
        kills += 1
        server.thaw()
        assert judging.answers() == answers
    # Two fatal replies may meet in one start, and a start that met one is killed while it waits for what it had sent.
    assert kills == 5 and 1 <= fatal <= len(FATAL)
    met = server.faults
    assert {*TRANSIENT, *ODD, REFUSED, *FATAL, "ok"} <= set(met), met
    assert_paid_once(server, judging)
    states = finals(judging)
    assert len(states) == ITEMS * LANGUAGES * VARIANTS * TURNS
    assert {"ok", "unparsable", "out_of_range", "refused", "rejected", "failed"} == set(states.values())
    assert_cells(judging, states)
    ratings = {one.serial: rating(one.digest) for one in server.completed if one.fault in ("ok", "no-usage")}
    for record in judging.records("verdicts"):
        if record["state"] == "ok":
            assert record["rating"] == ratings[record["reply"]["fingerprint"]]
    assert not judging.places_with(KEY)

    # Nothing is left but what was refused or failed; only that is asked again, and nothing is an error.
    before = len(server.asked)
    start = judging.finish()
    assert start.process.exitcode == 0, start.stderr
    assert {one.fault for one in server.asked[before:]} == {REFUSED, "500"}
    assert finals(judging) == states


def test_the_cap_holds_by_the_servers_own_bill(serve: Callable[..., tuple[JudgeServer, Judging]]) -> None:
    plan = [(), ("cut-within",), ("slow",), (), ("no-usage",), ("malformed",), ("500",), ("cut-before",), ("eleven",)]
    server, judging = serve(in_order(plan * 3), items=6, awkward=False, endpoint__timeout_seconds=2)
    paid: list[float] = []
    for cap in (0.03, 0.05, 5.0):
        since = len(server.asked)
        start = judging.finish("--max-usd", str(cap))
        paid.append(server.billed_usd(**PRICES, since=since))
        assert 0 < paid[-1] <= cap
        assert start.process.exitcode == (0 if cap == 5.0 else 3), start.stderr
        assert ("reached" in start.stderr) is (cap != 5.0) and "Traceback" not in start.stderr
        noted = json.loads((judging.out / "judging.json").read_text())[-1]
        assert paid[-1] - 1e-9 <= noted["usd"] <= cap
        assert (noted["stopped_by_cap"] > 0) is (cap != 5.0)
        # Nor does it give up while there is room for one more: no request here can cost more than 0.006.
        assert cap == 5.0 or noted["usd"] > cap - 0.006
    assert_paid_once(server, judging)
    assert Counter(finals(judging).values()) == {"ok": 48}


def test_a_cap_below_one_request_sends_nothing(serve: Callable[..., tuple[JudgeServer, Judging]]) -> None:
    server, judging = serve()
    start = judging.finish("--max-usd", "0.0001")
    assert start.process.exitcode == 3 and not server.asked


def test_no_key(serve: Callable[..., tuple[JudgeServer, Judging]]) -> None:
    server, judging = serve()
    answers = judging.answers()
    start = judging.finish(key=None)
    assert start.process.exitcode == 1
    assert f"needs a key in the environment variable {KEY_ENV}" in start.stderr and "Traceback" not in start.stderr
    assert not server.asked and not judging.records("verdicts") and judging.answers() == answers


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("401", "does not accept the key"),
        ("404", "no model 'm'"),
        ("quota", "no money left"),
        ("html", "does not reply with chat completions"),
        ("malformed", "does not reply with chat completions"),
        ("500", "requests to judge 'strict' all failed"),
    ],
)
def test_a_server_that_is_no_use(serve: Callable[..., tuple[JudgeServer, Judging]], fault: str, says: str) -> None:
    # 500 may be over in a minute, so it is tried again; all else must be told at once, with the waits of the shipped judge.
    patient = {"retry__attempts": 8, "retry__first_wait_seconds": 1.0, "retry__longest_wait_seconds": 60.0}
    server, judging = serve(lambda asked: fault, **({} if fault == "500" else patient))
    # Some servers repeat the key in what they say about it.
    server.echo_key = True
    answers = judging.answers()
    begun = time.monotonic()
    start = judging.finish()
    assert time.monotonic() - begun < 15
    assert start.process.exitcode == 1 and says in start.stderr and "Traceback" not in start.stderr
    assert not judging.records("verdicts") and judging.answers() == answers
    assert not judging.places_with(KEY), "the key is written somewhere"
    assert {one.key for one in server.asked} == {KEY}

    server.script = lambda asked: "ok"
    start = judging.finish()
    assert start.process.exitcode == 0, start.stderr
    assert set(finals(judging).values()) == {"ok"}


def test_a_key_that_a_server_repeats_in_a_refusal(serve: Callable[..., tuple[JudgeServer, Judging]]) -> None:
    server, judging = serve(lambda asked: "ok" if asked.order % 2 else REFUSED)
    server.echo_key = True
    start = judging.finish()
    assert start.process.exitcode == 0, start.stderr
    assert "maximum context length" in judging.records("ungraded")[0]["reason"]
    assert not judging.places_with(KEY)


def test_many_refusals_are_no_wrong_address(serve: Callable[..., tuple[JudgeServer, Judging]]) -> None:
    """A judging whose only open answers are too long for the judge is as finished as it can be."""
    _, judging = serve(lambda asked: REFUSED if asked.order >= 8 else "ok", awkward=False)
    for _ in range(2):
        start = judging.finish()
        assert start.process.exitcode == 0, start.stderr
    assert Counter(finals(judging).values()) == {"ok": 8, "rejected": 16}


def test_nothing_listens(serve: Callable[..., tuple[JudgeServer, Judging]]) -> None:
    _, judging = serve(retry__attempts=8, retry__first_wait_seconds=1.0)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        judging.url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
    answers = judging.answers()
    begun = time.monotonic()
    start = judging.finish()
    assert time.monotonic() - begun < 15
    assert start.process.exitcode == 1 and "no judge can be reached at" in start.stderr and "Traceback" not in start.stderr
    assert judging.answers() == answers


def test_replay_needs_no_key_and_no_server(
    serve: Callable[..., tuple[JudgeServer, Judging]], cli: Callable[..., Any], tmp_path: Path
) -> None:
    """The whole command in a fresh interpreter, where nothing was imported before."""
    server, judging = serve(in_order([("eleven",), ("refusal", "empty")]))
    assert judging.finish().process.exitcode == 0
    sent = len(server.asked)
    server.__exit__(None, None, None)
    other = Judging(tmp_path, server.url, run="other", cache="other-cache")
    build_run(other.out, items=3)
    environment = {**other.environment(None), KEY_ENV: ""}
    done = cli(*other.arguments("--replay", judging.out), env=environment)
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    assert len(server.asked) == sent
    strip = ("from_cache",)
    mine, theirs = (
        {r["key"]: {k: v for k, v in r.items() if k not in strip} for r in one.records("verdicts")} for one in (other, judging)
    )
    assert mine == theirs
    assert other.cells() == judging.cells()

    # What the stored verdicts do not hold is counted, and asked of nobody.
    third = Judging(tmp_path, server.url, run="third", cache="third-cache")
    build_run(third.out, items=4)
    torn = tmp_path / "torn.jsonl"
    torn.write_bytes((judging.out / "items" / "verdicts.jsonl").read_bytes() + b'{"key": "half a li')
    start = third.finish("--replay", torn, key=None)
    assert start.process.exitcode == 0, start.stderr
    assert Counter(r["state"] for r in third.records("ungraded")) == {"not_replayed": 8}


def test_a_second_run_with_the_same_cache_sends_nothing(
    serve: Callable[..., tuple[JudgeServer, Judging]], tmp_path: Path
) -> None:
    server, judging = serve(in_order([("eleven",), (), ("empty", "no-rating")]))
    assert judging.finish().process.exitcode == 0
    sent = len(server.asked)
    other = Judging(tmp_path, server.url, run="other")
    build_run(other.out, items=3)
    start = other.finish("--max-usd", "0.01")
    assert start.process.exitcode == 0, start.stderr
    assert len(server.asked) == sent and finals(other) == finals(judging)
    assert other.cells() == judging.cells()
    assert {record["from_cache"] for record in other.records("verdicts")} == {True}
    assert json.loads((other.out / "judging.json").read_text())[0]["usd"] == 0.0

    again = Judging(tmp_path, server.url, run="again")
    build_run(again.out, items=3)
    assert again.finish("--no-cache").process.exitcode == 0
    assert len(server.asked) == sent + len({one.digest for one in server.asked})


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_by_ctrl_c(serve: Callable[..., tuple[JudgeServer, Judging]], number: signal.Signals) -> None:
    server, judging = serve(awkward=False)
    answers = judging.answers()
    server.freeze_after(7)
    start = judging.start()
    start.until(lambda: server.frozen and server.held > 0 and len(judging.lines("verdicts")) == 7)
    assert start.stop(number) == 130
    assert "the same command continues it" in start.stderr and "Traceback" not in start.stderr
    assert (judging.out / "items" / "verdicts.jsonl").read_bytes().endswith(b"\n") and len(judging.lines("verdicts")) == 7
    assert judging.answers() == answers and not list(judging.out.rglob("*.partial"))
    cells = judging.cells()
    assert sum(cells[language, variant, "rating"]["n"] for language, variant, m in cells if m == "rating") == 7
    (noted,) = json.loads((judging.out / "judging.json").read_text())
    # What was under way when it was stopped may have been answered, and charged: it counts with its most.
    assert noted["requests"] == 7 and noted["usd"] > server.billed_usd(**PRICES) and 1 <= noted["unknown_cost"] <= 6
    server.thaw()
    assert judging.finish().process.exitcode == 0
    assert_paid_once(server, judging)
    assert Counter(finals(judging).values()) == {"ok": 24}

"""What each failure of the hub is called, what it says, and how often it is asked again."""

from __future__ import annotations

import errno
import re
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import hub_layouts as layouts
import pytest
from hub_server import PARQUET, Asked, HubServer, Repository

from lensbench.datasets.rows import load_rows_spec
from lensbench.datasets.sources import Hub
from lensbench.errors import LensbenchError
from lensbench.hub import HubError, fault_of, hub_error
from lensbench.languages import get_language


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    from huggingface_hub.utils import _http

    with HubServer(layouts.repositories(items=2, texts=2), renamed=layouts.RENAMED, tokens=("good", "stranger")) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
        for name in ("HF_HUB_OFFLINE", "HF_HUB_CACHE", "HF_TOKEN", "TRANSFORMERS_OFFLINE", "LENSBENCH_HUB_TRIES"):
            monkeypatch.delenv(name, raising=False)
        # A wait of a second is as good as one of a minute to see that there is one.
        monkeypatch.setattr("lensbench.hub.repository.time.sleep", waits.append)
        waits.clear()
        yield server
        # A client keeps the proxies that it was made with.
        _http.close_session()


waits: list[float] = []


def load(name: str = "xcopa", code: str = "zh", split: str = "test"):
    return Hub().load(load_rows_spec(name), get_language(code), split)


def xcopa(hub: HubServer) -> Repository:
    return hub.repositories["dataset", "cambridgeltl/xcopa"]


def always(fault: str, where: str = "") -> Callable[[Asked], str | None]:
    return lambda asked: fault if where in asked.path else None


def first(fault: str, where: str = "") -> Callable[[Asked], str | None]:
    """The first request of each path that meets it."""
    return lambda asked: fault if where in asked.path and asked.nth == 0 else None


@dataclass(frozen=True)
class Case:
    fault: str
    prepare: Callable[[HubServer, pytest.MonkeyPatch], object]
    message: str
    hint: str
    tries: int = 1
    """How often the commit is asked for."""
    rows: str = "xcopa"


def closed_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def fails(fault: str) -> Callable[[HubServer, pytest.MonkeyPatch], object]:
    return lambda hub, patch: setattr(hub, "fault", always(fault))


def gate(hub: HubServer) -> None:
    xcopa(hub).gated, xcopa(hub).allowed = True, ("good",)


def gate_to_a_stranger(hub: HubServer, patch: pytest.MonkeyPatch) -> None:
    gate(hub)
    patch.setenv("HF_TOKEN", "stranger")


def without_export(hub: HubServer) -> None:
    hub.repositories["dataset", "MBZUAI/Bactrian-X"].branches.pop(PARQUET)


CASES = {
    "gated": Case("gated", lambda hub, patch: gate(hub), "it is gated, and no token was sent", "set HF_TOKEN"),
    "gated, token of a stranger": Case(
        "no access", gate_to_a_stranger, "the token that was sent has no access to it", "Ask for access at"
    ),
    "expired token": Case(
        "token refused", lambda hub, patch: patch.setenv("HF_TOKEN", "expired"), "expired, revoked or mistyped", "or unset it"
    ),
    "not there": Case(
        "not there",
        lambda hub, patch: hub.repositories.pop(("dataset", "cambridgeltl/xcopa")),
        "no such repository, or it is private",
        "Check the name at",
    ),
    "no branch": Case(
        "no revision", lambda hub, patch: xcopa(hub).branches.pop("main"), "the repository, not this revision", "/commits/main"
    ),
    "script without export": Case(
        "script", lambda hub, patch: without_export(hub), "it is a script repository", "lensbench data import", rows="bactrian_x"
    ),
    "rate limit": Case("rate limit", fails("429"), "(status 429)", "Wait some minutes", 5),
    "server error": Case("server error", fails("500"), "(status 500)", "Wait and run", 5),
    "bad gateway": Case("server error", fails("502"), "(status 502)", "Wait and run", 5),
    "gateway time-out": Case("time-out", fails("504"), "did not answer in time", "Check the network", 5),
    "reset": Case("cut off", fails("reset"), "was cut before", "what was fetched is kept", 5),
    "login page": Case("not a hub", fails("html"), "does not answer like a hub", "login page"),
    "unreachable": Case(
        "unreachable",
        lambda hub, patch: patch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{closed_port()}"),
        "could not be reached",
        "HF_HUB_OFFLINE=1",
        0,
    ),
    "offline": Case(
        "offline",
        lambda hub, patch: patch.setenv("HF_HUB_OFFLINE", "1"),
        "HF_HUB_OFFLINE is set, and it was not fetched before",
        "lensbench fetch",
        0,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_each_failure_says_what_it_is_and_what_to_do(hub, monkeypatch, name):
    case = CASES[name]
    case.prepare(hub, monkeypatch)
    split = "train" if case.rows == "bactrian_x" else "test"
    with pytest.raises(LensbenchError) as told:
        load(case.rows, "zh", split)
    error = told.value
    assert isinstance(error, HubError) and error.fault == case.fault and error.exit_code == 1
    assert case.message in error.message and case.hint in (error.hint or "") and "data=DIR" in (error.hint or "")
    assert str(load_rows_spec(case.rows).hub) in error.message
    asked = [one for one in hub.asked if one.path.endswith("/revision/main")]
    assert len(asked) == case.tries
    # Bounded, and longer each time.
    assert waits == sorted(waits) and len(waits) == max(0, case.tries - 1) and sum(waits) <= 60


@pytest.mark.parametrize("name", ["http_proxy", "HTTPS_PROXY"])
def test_a_proxy_that_is_not_there(hub, monkeypatch, name):
    from huggingface_hub.utils import _http

    port = closed_port()
    monkeypatch.setenv("HF_ENDPOINT", "http://hub.invalid" if name == "http_proxy" else "https://hub.invalid")
    monkeypatch.setenv(name, f"http://user:secret@127.0.0.1:{port}")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    _http.close_session()
    with pytest.raises(HubError, match=f"the proxy 127.0.0.1:{port} cannot be used") as told:
        load()
    assert told.value.fault == "proxy" and "secret" not in str(told.value)


@pytest.mark.parametrize("fault", ["429", "429-after", "500", "502", "503", "504", "reset"])
def test_what_passes_is_asked_again(hub, fault):
    hub.fault = first(fault, "/revision/")
    assert len(load()) == 2
    assert waits == ([0.0] if fault == "429-after" else [1.0])


def test_a_hub_that_does_not_answer(hub, monkeypatch):
    monkeypatch.setenv("LENSBENCH_HUB_TRIES", "2")
    monkeypatch.setattr("lensbench.hub.repository._SECONDS", 0.3)
    hub.fault = always("slow")
    with pytest.raises(HubError, match="did not answer in time") as told:
        load()
    assert told.value.fault == "time-out" and waits == [1.0]


def test_a_long_wait_that_the_hub_asks_for_is_not_sat_out(hub, monkeypatch):
    class Reply:
        status_code, headers = 429, {"Retry-After": "3600"}

    from lensbench.hub.repository import _asked_to_wait

    error = OSError()
    error.response = Reply()
    assert _asked_to_wait(error) == 3600
    hub.fault = always("429")
    monkeypatch.setattr("lensbench.hub.repository._asked_to_wait", lambda error: 3600.0)
    with pytest.raises(HubError, match="rate limit"):
        load()
    assert waits == []


def test_a_body_that_is_cut_is_asked_for_again(hub, monkeypatch):
    repository = xcopa(hub)
    rows = [layouts.xcopa("zh", i) for i in range(3000)]
    repository.branches["main"]["zh/test-00000-of-00001.parquet"] = layouts.parquet(rows)
    repository.commits[repository.commit("main")] = repository.branches["main"]
    hub.fault = first("cut", "/large/")
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda seconds: None)
    assert len(load()) == 3000
    assert [one.nth for one in hub.asked if one.method == "GET" and "/large/" in one.path] == [0, 1]


def test_a_hub_that_is_down_lets_what_was_fetched_be_used(hub, monkeypatch):
    monkeypatch.setenv("LENSBENCH_HUB_TRIES", "1")
    before = load()
    hub.fault = always("503")
    assert load().origin == before.origin
    # What the hub refuses is refused, whatever is here.
    hub.fault = lambda asked: None
    gate(hub)
    hub.repositories.pop(("dataset", "cambridgeltl/xcopa"))
    with pytest.raises(HubError) as told:
        load()
    assert told.value.fault == "not there"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk(hub, monkeypatch, number):
    def full(*args: object, **kwargs: object) -> None:
        raise OSError(number, "No space left on device")

    monkeypatch.setattr("huggingface_hub.file_download.http_get", full)
    with pytest.raises(HubError, match="the disk is full") as told:
        load()
    assert "HF_HOME" in str(told.value) and told.value.fault == "disk full"


def test_a_cache_that_cannot_be_written(hub, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "file"))
    with pytest.raises(HubError, match="cache cannot be written"):
        load()


def test_names_that_are_none(hub):
    with pytest.raises(HubError, match="not a repository name"):
        from lensbench.hub import find_snapshot

        find_snapshot("a/b/c", "dataset", "main")


def test_a_text_does_not_decide():
    """The words of an exception are the hub's and may be anything."""
    error = hub_error("x", RuntimeError("401 Gated NotFound 403 429"), repository="a/b", kind="dataset")
    assert error.fault == "unknown" and fault_of(RuntimeError("403 Forbidden"))[0] == "unknown"


def test_the_table_of_the_docs_names_every_fault():
    from lensbench.hub import faults

    text = (Path(__file__).parents[2] / "docs/data.md").read_text(encoding="utf-8")
    table = text.split("### When the hub does not give it")[1].split("\n## ")[0]
    named = set(re.findall(r"^\| `([a-z -]+)` \|", table, re.MULTILINE))
    assert named == set(faults._TEXTS)

"""What a log holds while a stage goes on: done, total, time left, a line at each end; and what `--quiet` and `--log` change."""

from __future__ import annotations

import io
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from judged_run import build_run
from rich.console import Console

from lensbench.display import Level, TerminalProgress


def progress(**options: Any) -> tuple[TerminalProgress, io.StringIO]:
    stream = io.StringIO()
    return TerminalProgress(Console(file=stream, width=80), **options), stream


def test_a_log_gets_a_line_from_time_to_time() -> None:
    reporter, stream = progress(every_seconds=0.2)
    with reporter.stage("scoring · xcopa/zh", 10) as advance:
        time.sleep(0.3)
        advance(4, "loss 0.5")
        time.sleep(0.4)
    lines = stream.getvalue().splitlines()
    assert lines[0] == "  scoring · xcopa/zh: begins, 10 to do"
    assert lines[1] == "  scoring · xcopa/zh: 0 of 10 in 0 s, time left not known yet"
    # 4 took 0.4 s or somewhat more, so 6 take 1 s, rounded.
    assert re.fullmatch(r"  scoring · xcopa/zh: 4 of 10 in [01] s, about [12] s left  loss 0\.5", lines[2])
    assert re.fullmatch(r"  scoring · xcopa/zh: 10 in 0\.\d s  loss 0\.5", lines[-1])
    assert len(lines) in (4, 5), "nothing is written after the end"


def test_a_minute_is_the_default_and_short_stages_have_two_lines() -> None:
    reporter, stream = progress()
    with reporter.stage("short", 1) as advance:
        advance()
    assert reporter._every == 60 and len(stream.getvalue().splitlines()) == 2


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_stage_that_stops_says_how_far_it_got(error: type[BaseException]) -> None:
    reporter, stream = progress()
    with pytest.raises(error), reporter.stage("judging", 7) as advance:
        advance(3)
        raise error
    assert "  judging: stopped at 3 of 7, after 0 s" in stream.getvalue()


@pytest.mark.parametrize(
    ("level", "shown"), [("quiet", ["! bad"]), ("normal", ["hello", "! bad", "s: begins, 1 to do", "s: 1 in"])]
)
def test_levels(level: Level, shown: list[str], tmp_path: Path) -> None:
    log = tmp_path / "log"
    reporter, stream = progress(level=level, log=log)
    reporter.notify("hello")
    reporter.notify("! bad")
    with reporter.stage("s", 1) as advance:
        advance()
    lines = [line.strip() for line in stream.getvalue().splitlines()]
    assert len(lines) == len(shown) and all(line.startswith(text) for line, text in zip(lines, shown, strict=True))
    written = log.read_text(encoding="utf-8").splitlines()
    assert len(written) == 4 and all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \S", line) for line in written)


def test_verbose_has_the_time_of_day() -> None:
    reporter, stream = progress(level="verbose")
    reporter.notify("hello")
    assert re.fullmatch(r"\d\d:\d\d:\d\d hello\n", stream.getvalue()) and reporter._every == 10


def test_a_terminal_has_bars_and_its_log_has_lines(tmp_path: Path) -> None:
    stream, log = io.StringIO(), tmp_path / "log"
    reporter = TerminalProgress(Console(file=stream, force_terminal=True, width=100), log=log)
    with reporter.stage("s[red]", 2) as advance:
        advance(2)
    assert "━" in stream.getvalue() and "begins" not in stream.getvalue() and "s[red]" in stream.getvalue()
    assert log.read_text(encoding="utf-8").count("s[red]: ") == 2


def test_a_run_goes_on_when_its_log_is_gone(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    reporter, stream = progress(level="quiet", log=folder / "log")
    shutil.rmtree(folder)
    reporter.notify("one")
    reporter.notify("two")
    assert stream.getvalue().count("can no longer be written") == 1


def test_names_of_strangers_are_safe_in_a_terminal() -> None:
    reporter, stream = progress()
    reporter.notify("task \x1b[2J\x07")
    with reporter.stage("v\x1b]0;x\x07\n", 1):
        pass
    assert "\x1b" not in stream.getvalue() and "\x07" not in stream.getvalue() and r"\x1b[2J\x07" in stream.getvalue()


def test_the_commands_take_the_options(cli: Callable[..., Any], tiny_model_dir: Path, tmp_path: Path) -> None:
    log = tmp_path / "logs" / "run.log"
    asked = (
        "run",
        "--backbone",
        tiny_model_dir,
        "--data",
        "embedded",
        "--tasks",
        "xcopa,multiq",
        "--limit",
        "2",
        "--max-new-tokens",
        "2",
        "--identifier",
        "lid176",
        "--out",
        tmp_path / "run",
        "--json",
    )
    done = cli(*asked, "--quiet", "--log", log)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    lines = log.read_text(encoding="utf-8")
    assert "language of answers · lid176: begins, 4 to do" in lines and "xcopa" in lines
    again = cli("fidelity", tmp_path / "run", "--identifier", "lid176", "--log", log, "-q")
    assert again.returncode == 0 and again.stderr == ""
    assert log.read_text(encoding="utf-8").startswith(lines), "a second command adds to the file"

    both = cli(*asked, "--quiet", "--verbose")
    assert both.returncode == 2 and "contradict" in both.stderr
    for path in (tmp_path, "/proc/nothing/log", "a" * 300):
        bad = cli("fidelity", tmp_path / "run", "--log", path)
        assert bad.returncode == 2 and "--log" in bad.stderr and "Traceback" not in bad.stderr
    judged = build_run(tmp_path / "judged", items=1, languages=("en",), awkward=False).path
    told = cli(
        "judge", judged, "-j", "local", "--base-url", "http://127.0.0.1:9/v1", "--model", "m", "--log", log, "-v", "--no-cache"
    )
    assert told.returncode == 1 and "Traceback" not in told.stderr
    assert re.search(r"^\d\d:\d\d:\d\d   judge · local: begins, 4 to do$", told.stderr, re.M)
    assert "judge · local: stopped at 0 of 4" in log.read_text(encoding="utf-8")

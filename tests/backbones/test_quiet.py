"""Warnings of other libraries are read: what a check covers or changes no number is not shown, every other is, once."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest

from lensbench.quiet import COVERED, HARMLESS, LIBRARIES, Telling


def told(capsys: pytest.CaptureFixture[str], *messages: str) -> list[str]:
    handler = Telling()
    for message in messages:
        handler.emit(logging.LogRecord("transformers.somewhere", logging.WARNING, "f", 1, message, None, None))
    return capsys.readouterr().err.splitlines()


def test_an_unknown_warning_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    regex = "The tokenizer you are loading from '/a/b' with an incorrect regex pattern: this will lead to incorrect tokenization."
    assert told(capsys, regex, regex.replace("/a/b", "/c/d")) == [f"! transformers says: {regex}"]
    tied = "The mapping says to tie lm_head.weight, but both are present with different values, so we will NOT tie them."
    assert told(capsys, tied, "\x1b[2Jhello") == [f"! transformers says: {tied}", "! transformers says: \\x1b[2Jhello"]


@pytest.mark.parametrize(
    "message",
    [
        "LlamaForCausalLM LOAD REPORT from: m\nKey | Status\nlm_head.weight | MISSING",
        "Token indices sequence length is longer than the specified maximum sequence length for this model (1200 > 1024).",
        "Combined length of context (1500) and continuation (3) exceeds model's maximum length (1024). Truncating 479 tokens.",
        "The following generation flags are not valid and may be ignored: ['temperature'].",
        "You are sending unauthenticated requests to the HF Hub. Please set a HF_TOKEN to enable higher rate limits.",
        "[Task: lensbench_xcopa] metric acc is defined, but aggregation is not. using default aggregation=mean",
    ],
)
def test_known_warnings_are_not_shown(capsys: pytest.CaptureFixture[str], message: str) -> None:
    assert told(capsys, message) == []


def test_every_pattern_has_a_reason() -> None:
    assert all(reason for reason in (*COVERED.values(), *HARMLESS.values())) and not set(COVERED) & set(HARMLESS)


def test_no_library_is_lowered_below_its_warnings() -> None:
    code = (
        "import logging\nfrom lensbench.quiet import quiet_libraries, LIBRARIES\nquiet_libraries()\n"
        "for name in LIBRARIES:\n"
        "    assert logging.getLogger(name).level == logging.WARNING, name\n"
        "    logging.getLogger(name + '.part').warning('a new warning of ' + name)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stderr.splitlines() if "a new warning" in line] == [
        f"! {name} says: a new warning of {name}" for name in LIBRARIES
    ]

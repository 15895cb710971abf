"""A chat template must put into the prompt what was said; one that does not, or fails, is refused before weights are read."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import CHAT_TEMPLATE
from transformers import AutoTokenizer

from lensbench.engines.chat import check_template, render_chat
from lensbench.errors import UsageError

LOOP = "{% for m in messages %}<{{ m.role }}>"


@pytest.fixture
def tokenizer(tiny_model_dir: Path) -> Any:
    return AutoTokenizer.from_pretrained(tiny_model_dir)


@pytest.mark.parametrize(
    ("template", "says"),
    [
        (LOOP + "{{ m.text }}{% endfor %}", "leaves out a message: the user text 'question 1\\?'"),
        (LOOP + "{{ m.content | upper }}{% endfor %}", "leaves out a message"),
        (LOOP + "{{ m.content[:4] }}{% endfor %}", "leaves out a message"),
        ("<user>{{ messages[-1].content }}", "'question 1\\?' \\(message 1 of user, assistant, user\\)"),
        ("{{ messages[0].content }}", "'reply 1\\.' \\(message 2 of"),
        (LOOP + "{% if m.role == 'user' %}{{ m.content }}{% endif %}{% endfor %}", "the assistant text 'reply 1\\.'"),
        ("{% for m in messages | reverse %}{{ m.content }} {% endfor %}", "not in the prompt, or not in its place"),
        ("Answer this.", "leaves out a message"),
        ("{{ raise_exception('Only user turns') }}", "fails on user: Only user turns"),
        ("{{ messages[7].content }}", "fails on user: .*"),
        ("{{ 1 / 0 }}", "fails on user: division by zero"),
        ("{% for m in messages %}", "fails on user: .*"),
        ("{{ cycler.__init__.__globals__.os.system('true') }}", "fails on user: .*"),
        ("{% for i in range(10**9) %}{% endfor %}", "fails on user: .*"),
    ],
)
def test_what_is_lost_is_told(tokenizer: Any, template: str, says: str) -> None:
    tokenizer.chat_template = template
    with pytest.raises(UsageError, match=says):
        check_template(tokenizer, None, turns=2)


def test_a_system_text_that_is_dropped_is_told(tokenizer: Any) -> None:
    tokenizer.chat_template = "{% for m in messages if m.role != 'system' %}{{ m.content }}{% endfor %}"
    check_template(tokenizer, None, turns=2)
    check_template(tokenizer, "", turns=2)
    with pytest.raises(UsageError, match=r"the system text 'Be brief\.'"):
        check_template(tokenizer, "Be brief.", turns=2)


def test_a_template_without_end_is_stopped(tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lensbench.engines.chat._SECONDS", 1)
    tokenizer.chat_template = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    started = time.monotonic()
    with pytest.raises(UsageError, match="takes more than 1 s"):
        check_template(tokenizer, None)
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    "template",
    [
        CHAT_TEMPLATE,
        # Mistral's puts the system text into the last question.
        "{% for m in messages %}{% if m.role == 'user' %}[INST]{% if loop.last and messages[0].role == 'system' %}"
        "{{ messages[0].content }}\n{% endif %}{{ m.content }}[/INST]"
        "{% elif m.role == 'assistant' %}{{ m.content }}</s>{% endif %}{% endfor %}",
        # Reasoning models leave past reasoning out.
        LOOP + "{{ m.content.split('</think>')[-1] | trim }}{% endfor %}",
    ],
)
def test_usual_templates_pass(tokenizer: Any, template: str) -> None:
    tokenizer.chat_template = template
    check_template(tokenizer, "Be brief.", turns=2)
    said = [
        {"role": "user", "content": "  a  \n\n b "},
        {"role": "assistant", "content": "<think>long</think>\n yes"},
        {"role": "user", "content": "a"},
    ]
    if "split" in template:
        assert "long" not in render_chat(tokenizer, said, None)
    render_chat(tokenizer, said, None)


def test_a_run_is_refused_before_it_claims_a_folder(cli: Callable[..., Any], tiny_model_dir: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_model_dir, tmp_path / "m")
    (tmp_path / "m" / "chat_template.jinja").write_text(LOOP + "{{ m.text }}{% endfor %}")
    asked = [
        "run",
        "--backbone",
        tmp_path / "m",
        "--tasks",
        "xcopa",
        "--data",
        "embedded",
        "--limit",
        "1",
        "--out",
        tmp_path / "run",
    ]
    done = cli(*asked)
    assert done.returncode == 2 and "leaves out a message" in done.stderr, done.stderr
    assert not (tmp_path / "run" / "run.json").exists()
    done = cli(*asked, "--profile", "lm-eval")
    assert done.returncode == 0, done.stderr

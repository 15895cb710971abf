"""Rendering prompts through a chat template, once, to ids with exactly one BOS."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from lensbench.engines.specials import encode_text
from lensbench.errors import UsageError
from lensbench.jsonio import JsonObject

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

__all__ = ["chat_renderer", "check_template", "encode_prompt", "render_chat", "truncate_content"]

_REASONING_END = "</think>"
_SECONDS = 10
"""Time limit for rendering two short conversations."""


def render_chat(
    tokenizer: PreTrainedTokenizerBase,
    messages: Sequence[JsonObject],
    system_text: str | None,
    *,
    add_generation_prompt: bool = True,
) -> str:
    """The prompt as text.

    Args:
        messages: `{"role": ..., "content": ...}` turns.
        system_text: Put in front as a system message, also when empty; None sends none.

    Raises:
        UsageError: the tokenizer has no chat template, the template fails, or what it writes lacks a part of the messages.
    """
    if not tokenizer.chat_template:
        raise UsageError(
            f"the tokenizer of {tokenizer.name_or_path} has no chat template",
            "A base model can be scored with ``profile=lm-eval``, which needs no chat template.",
        )
    turns = list(messages)
    if system_text is not None and (not turns or turns[0]["role"] != "system"):
        turns.insert(0, {"role": "system", "content": system_text})
    try:
        text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=add_generation_prompt)
    except Exception as error:
        # A template is a program of the folder's author. transformers runs it in a sandbox, and it may raise anything.
        reason = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise UsageError(
            f"the chat template of {tokenizer.name_or_path} fails on {_roles(turns)}: {reason[:200]}",
            "Fix the template in the model folder, or use ``profile=lm-eval``, which needs none.",
        ) from None
    _refuse_loss(tokenizer, turns, str(text))
    return str(text)


def chat_renderer(tokenizer: PreTrainedTokenizerBase, system_text: str | None) -> Callable[..., str]:
    """`render_chat` with a model's own tokenizer and system text, as lm-eval calls it."""

    def render(messages: list[JsonObject], add_generation_prompt: bool = True) -> str:
        return render_chat(tokenizer, messages, system_text, add_generation_prompt=add_generation_prompt)

    return render


def check_template(tokenizer: PreTrainedTokenizerBase, system_text: str | None, *, turns: int = 1) -> None:
    """Render a conversation that no template has seen, before weights are loaded.

    Args:
        turns: Of the user's; more than one has an answer between them.

    Raises:
        UsageError: as in `render_chat`, or the template takes more than some seconds.
    """
    messages = []
    for turn in range(1, turns + 1):
        messages += [{"role": "user", "content": f"question {turn}?"}, {"role": "assistant", "content": f"reply {turn}."}]
    text = ""
    with _time_limit(_SECONDS) as too_long:
        render_chat(tokenizer, messages[:1], system_text)
        text = render_chat(tokenizer, messages[:-1], system_text)
    if too_long:
        raise UsageError(f"the chat template of {tokenizer.name_or_path} takes more than {_SECONDS} s for a short conversation")
    if not text.strip():
        raise UsageError(f"the chat template of {tokenizer.name_or_path} writes nothing")


def _refuse_loss(tokenizer: PreTrainedTokenizerBase, turns: Sequence[JsonObject], text: str) -> None:
    """Every message must stand in the prompt, in order; white space may differ, and past reasoning may be left out."""
    place, folded, folded_place = 0, "", 0
    for number, turn in enumerate(turns, 1):
        content = str(turn["content"]).strip()
        if turn["role"] == "assistant" and _REASONING_END in content and content not in text:
            content = content.rpartition(_REASONING_END)[2].strip()
        if turn["role"] == "system" and content and content not in text:
            # Some templates put it behind the last question.
            raise _lost(tokenizer, number, turn, turns)
        found = text.find(content, place) if turn["role"] != "system" else place
        if found >= 0:
            place = found + (len(content) if turn["role"] != "system" else 0)
            continue
        folded = folded or "".join(text.split())
        wanted = "".join(content.split())
        found = folded.find(wanted, folded_place)
        if found < 0:
            raise _lost(tokenizer, number, turn, turns)
        folded_place = found + len(wanted)


def _lost(tokenizer: PreTrainedTokenizerBase, number: int, turn: JsonObject, turns: Sequence[JsonObject]) -> UsageError:
    shown = str(turn["content"]).strip()
    shown = shown if len(shown) <= 60 else shown[:57] + "..."
    return UsageError(
        f"the chat template of {tokenizer.name_or_path} leaves out a message: the {turn['role']} text {shown!r} (message "
        f"{number} of {_roles(turns)}) is not in the prompt, or not in its place",
        "The model would answer another question. Fix the template, or use ``profile=lm-eval``, which needs none.",
    )


def _roles(turns: Sequence[JsonObject]) -> str:
    return ", ".join(str(turn["role"]) for turn in turns)


@contextmanager
def _time_limit(seconds: int) -> Iterator[list[bool]]:
    """Stop what runs in the main thread after some seconds; what was stopped is told by a list that is no longer empty.

    Where there is no such signal, or in another thread, there is no limit.
    """
    late: list[bool] = []
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield late
        return

    def stop(number: int, frame: Any) -> None:
        late.append(True)
        raise _TooLong

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield late
    except BaseException:
        if not late:
            raise
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class _TooLong(BaseException):
    """Raised in the middle of whatever runs, which may catch an `Exception`."""


def encode_prompt(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """Token ids of a rendered prompt, with one BOS at most, and nothing behind it: a template that writes BOS itself gets no
    second one, and an EOS that the tokenizer adds is taken away."""
    bos = tokenizer.bos_token
    if bos and text.startswith(bos):
        return encode_text(tokenizer, text, add_special_tokens=False)
    return encode_text(tokenizer, text)


def truncate_content(tokenizer: PreTrainedTokenizerBase, text: str, max_tokens: int | None) -> str:
    """The longest beginning of a text that is at most `max_tokens` tokens, cut at a character boundary.

    Only content is cut, before it enters the template, so that the generation prompt always survives (docs/lens.md).
    """
    if max_tokens is None:
        return text
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    if len(encoded["input_ids"]) <= max_tokens:
        return text
    return text[: encoded["offset_mapping"][max_tokens - 1][1]]

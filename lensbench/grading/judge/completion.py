"""A chat completion as a reply: its text and the judge's reasoning, from any place where servers put it."""

from __future__ import annotations

from typing import Any

from lensbench.grading.judge.cache import Reply
from lensbench.jsonio import JsonObject

__all__ = ["read_completion"]

_THOUGHTS = ("thinking", "reasoning", "reasoning_text", "summary_text")


def read_completion(content: Any) -> Reply:
    """The reply in a chat completion.

    Raises:
        KeyError, IndexError, TypeError, AttributeError, ValueError: it is none, or a broken one.
    """
    choices = content["choices"]
    if len(choices) > 1:
        raise ValueError("it has several choices, and one was asked for")
    choice = choices[0]
    if choice.get("finish_reason") == "error":
        raise ValueError("its finish_reason is 'error'")
    message: JsonObject = choice["message"]
    text, thoughts = _parts(message.get("content"))
    for name in ("reasoning_content", "reasoning"):
        value = message.get(name)
        thoughts += [value] if isinstance(value, str) and value else []
    refusal, usage = message.get("refusal"), content.get("usage")
    if not isinstance(refusal, str | None):
        raise TypeError("its refusal is no text")
    return Reply(
        text=text,
        model=_text_or_none(content.get("model")),
        fingerprint=_text_or_none(content.get("system_fingerprint")),
        usage=usage if isinstance(usage, dict) else None,
        finish=_text_or_none(choice.get("finish_reason")),
        refusal=refusal,
        reasoning="\n".join(thoughts) or None,
    )


def _parts(content: Any) -> tuple[str, list[str]]:
    """Text and reasoning of a message's content: a text, nothing, or a list of parts."""
    if isinstance(content, str | None):
        return content or "", []
    if not isinstance(content, list):
        raise TypeError("its text is no text")
    texts: list[str] = []
    thoughts: list[str] = []
    for part in content:
        kind = part["type"]
        if kind in ("text", "output_text"):
            texts.append(_certain(part["text"]))
        elif kind in _THOUGHTS:
            inner = part.get("thinking", part.get("text", ""))
            thoughts.append(inner if isinstance(inner, str) else _parts(inner)[0])
        elif kind == "refusal":
            texts.append(_certain(part["refusal"]))
        else:
            raise TypeError("a part of it is no text")
    return "".join(texts), thoughts


def _certain(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("a part of it is no text")
    return value


def _text_or_none(value: Any) -> str | None:
    """A server's own remark; one that is no text is left out, as it decides nothing."""
    return value if isinstance(value, str) else None

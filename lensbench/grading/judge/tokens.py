"""Counting the tokens of a request before it is sent."""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from lensbench.errors import UnavailableError

__all__ = ["TokenCounter", "ceiling", "token_counter"]

Messages = Sequence[dict[str, str]]

_PER_MESSAGE, _PER_REPLY = 3, 3
"""Tokens the chat format adds to a message (its role counted apart) and to begin the reply, for OpenAI's models."""


class TokenCounter(Protocol):
    """Counts prompt tokens of a request."""

    @property
    def about(self) -> str:
        """Name of the counting method, for the user."""
        ...

    def count(self, messages: Messages) -> int: ...


def token_counter(name: str | None) -> TokenCounter:
    """A counter by the judge's `tokenizer`.

    Args:
        name: `tiktoken:ENCODING`, a folder or hub id with a tokenizer, or None for a count by characters.

    Raises:
        UnavailableError: the tokenizer named is not available.
    """
    if name is None:
        return _ByCharacters("characters (the judge names no tokenizer)")
    if name.startswith("tiktoken:"):
        encoding = name.removeprefix("tiktoken:")
        try:
            import tiktoken

            return _Tiktoken(name, tiktoken.get_encoding(encoding))
        except ImportError:
            return _ByCharacters(f"characters (pip install tiktoken for {encoding})")
        except Exception as error:
            # tiktoken fetches its vocabulary on first use and raises whatever its HTTP library does.
            return _ByCharacters(f"characters (tiktoken could not fetch {encoding}: {type(error).__name__})")
    return _HuggingFace(name)


@dataclass(frozen=True)
class _Tiktoken:
    about: str
    encoding: Any

    def count(self, messages: Messages) -> int:
        texts = sum(
            len(self.encoding.encode(part, disallowed_special=())) for m in messages for part in (m["role"], m["content"])
        )
        return texts + _PER_MESSAGE * len(messages) + _PER_REPLY


class _HuggingFace:
    """The chat template of the served model's own tokenizer."""

    def __init__(self, name: str) -> None:
        try:
            from transformers import AutoTokenizer

            self._tokenizer: Any = AutoTokenizer.from_pretrained(name)
        except (ImportError, OSError, ValueError) as error:
            kind = "folder" if Path(name).exists() else "hub id or folder"
            raise UnavailableError(f"no tokenizer at the {kind} {name}: {str(error).splitlines()[0]}") from None
        self.about = f"the tokenizer of {name}"

    def count(self, messages: Messages) -> int:
        if self._tokenizer.chat_template:
            text = self._tokenizer.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=True)
            return len(self._tokenizer.encode(text, add_special_tokens=False))
        return sum(len(self._tokenizer.encode(m["content"])) for m in messages)


@dataclass(frozen=True)
class _ByCharacters:
    """Characters by kind, with the ratios of GPT-4o's vocabulary (docs/judging.md says how they were measured)."""

    about: str

    def count(self, messages: Messages) -> int:
        texts = sum(_estimate(m["content"]) + 1 for m in messages)
        return round(texts) + _PER_MESSAGE * len(messages) + _PER_REPLY


_ASCII_LETTER, _DIGIT, _SPACE, _MARK, _OTHER_LETTER = 0.23, 0.6, 0.11, 0.48, 0.7
_SCRIPTS = {
    "LATIN": 0.58,  # letters with accents
    "CJK": 0.83,
    "HIRAGANA": 0.82,
    "KATAKANA": 0.82,
    "HANGUL": 0.73,
    "ARABIC": 0.34,
    "BENGALI": 0.39,
    "DEVANAGARI": 0.35,
    "TELUGU": 0.41,
    "THAI": 0.41,
}


def _estimate(text: str) -> float:
    return sum(_weight(character) for character in text)


@functools.lru_cache(maxsize=65536)
def _weight(character: str) -> float:
    if character.isascii() and character.isalpha():
        return _ASCII_LETTER
    if character.isdigit():
        return _DIGIT
    if character.isspace():
        return _SPACE
    if character.isalpha() or unicodedata.category(character).startswith("M"):
        return _SCRIPTS.get(unicodedata.name(character, "").split(" ")[0], _OTHER_LETTER)
    return _MARK


def ceiling(messages: Messages) -> int:
    """A number of tokens no byte-level vocabulary can exceed: one per UTF-8 byte, and the chat format's own."""
    texts = sum(len(m["content"].encode("utf-8", "replace")) + len(m["role"]) for m in messages)
    return texts + (_PER_MESSAGE + 8) * len(messages) + _PER_REPLY + 64

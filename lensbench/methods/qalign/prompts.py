"""Prompts that ask for a translation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lensbench.errors import UsageError
from lensbench.languages import get_language
from lensbench.methods.sft.encode import Layout, chat_layout

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

__all__ = ["qalign_layout", "translation_request"]

# The three parts of Alpaca's layout without an input; the wording is ours.
_ALPACA = "The following is a task. Carry it out and write down the result.\n\n### Instruction:\n{request}\n\n### Response:"


def translation_request(question: str, source: str, target: str) -> str:
    """The request in English, a space, then the question; languages by their English names, as in the released code.

    Args:
        source: Code of the question's language.
        target: Code of the language to translate into.
    """
    return f"Translate the following question from {get_language(source).name} to {get_language(target).name}. {question}"


def qalign_layout(tokenizer: PreTrainedTokenizerBase, template: str, system_text: str | None) -> Layout:
    """The text around a request.

    Args:
        template: "chat" or "alpaca". With the latter the translation follows the response header directly, and the end is the
            end-of-sequence token.

    Raises:
        UsageError: no chat template, or no end-of-sequence token.
    """
    if template == "chat":
        return chat_layout(tokenizer, system_text)
    if not tokenizer.eos_token:
        raise UsageError(
            f"the tokenizer of {tokenizer.name_or_path} has no end-of-sequence token, which ends an answer in the Alpaca layout",
            "Use template=chat.",
        )
    return Layout(lambda request: _ALPACA.replace("{request}", request), str(tokenizer.eos_token))

"""Prompts in our wording: a translation, the rest of a text, an answer in a certain language."""

from __future__ import annotations

from lensbench.languages import get_language

__all__ = ["completion_request", "self_translation_request", "translation_request", "with_language_hint"]


def translation_request(text: str, source: str, target: str) -> str:
    """The request that is learned.

    Args:
        source: Code of the text's language.
        target: Code of the language to translate into.
    """
    return f"Translate the following text from {get_language(source).name} into {get_language(target).name}.\n\n{text}"


def self_translation_request(text: str, source: str, target: str) -> str:
    """The request with which the backbone translates for itself."""
    return (
        f"Translate the following text from {get_language(source).name} into {get_language(target).name}. "
        f"Write the translation and nothing else.\n\n{text}"
    )


def completion_request(beginning: str, code: str) -> str:
    """The request to write the rest of a text."""
    return f"Continue the following {get_language(code).name} text.\n\n{beginning}"


def with_language_hint(question: str, code: str) -> str:
    """The question, and the language to answer in."""
    return f"{question}\n\nAnswer in {get_language(code).name}."

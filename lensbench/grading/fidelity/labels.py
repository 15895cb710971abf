"""The meaning of a fastText language label, from the label alone, so that records can be read again without a model.

Two styles are known. GlotLID joins an ISO 639-3 code and a script (`swh_Latn`); lid.176 has bare codes (`sw`, `zh`).
"""

from __future__ import annotations

import functools
import re

from lensbench.languages import Language, languages

__all__ = ["is_lenient", "is_strict", "is_unknown", "language_of_label"]

_GLOTLID = re.compile(r"([a-z]{3})_([A-Z][a-z]{3})")


def is_strict(label: str | None, language: Language) -> bool:
    """Whether a label is exactly the language's own (GlotLID: code and script; lid.176: a label of the table)."""
    if label is None:
        return False
    return label == language.glotlid if _GLOTLID.fullmatch(label) else label in language.lid176


def is_lenient(label: str | None, language: Language) -> bool:
    """Whether a label is the language's or a relative's that the table accepts, in the native script.

    The script is required because GlotLID has labels for romanised text (`ben_Latn`, `arb_Latn`). lid.176 has no scripts, and
    lenient is the same as strict there. Source: MultiQ's accept lists, extended to the labels of GlotLID v3.
    """
    match = _GLOTLID.fullmatch(label or "")
    if match is None:
        return is_strict(label, language)
    return match[1] in language.accepts and match[2] == language.glotlid.partition("_")[2]


@functools.lru_cache(maxsize=4096)
def language_of_label(label: str | None) -> str | None:
    """Canonical code of the language of the table that a label counts as leniently, or None."""
    return next((code for code, language in languages().items() if is_lenient(label, language)), None)


def is_unknown(label: str | None) -> bool:
    """Whether a label stands for no language: GlotLID's `und_*` and `zxx_*`, or no label at all."""
    return label is None or label.partition("_")[0] in ("und", "zxx")

"""Languages: one canonical code each, and the way to and from every data set's own code.

The table is `languages.yaml` beside this file; adding a language is adding its line there.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from lensbench.errors import UsageError, nearest, unknown_name
from lensbench.yamlio import read_yaml, validated

__all__ = ["CENTRAL", "Language", "get_language", "language_of", "languages", "parse_languages"]

CENTRAL = "en"
"""The central language of the papers: what the backbone is good at, and the reference of every direction."""


class Language(BaseModel):
    """One language, under its canonical code."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    code: str
    name: str
    """English name, as prompts use it."""
    native: str
    script: str
    """ISO 15924; `Hani`, `Jpan` and `Kore` stand for the mixed scripts."""
    direction: Literal["ltr", "rtl"] = "ltr"
    spaced: bool = True
    """Whether words are set apart by spaces."""
    iso3: str
    paper: str | None = None
    """Code in the tables of the LENS paper."""
    glotlid: str
    """The strict GlotLID v3 label."""
    accepts: tuple[str, ...]
    """ISO 639-3 codes that lenient fidelity accepts, the native script being required."""
    lid176: tuple[str, ...]
    """Labels of fastText's lid.176 that count as this language."""
    nllb: str
    codes: dict[str, str | tuple[str, ...]]
    """Data set -> its code for this language; several where the set itself uses several."""

    def code_in(self, dataset: str) -> str | None:
        """This language's (first) code in a data set, or None when the table has none."""
        code = self.codes.get(dataset)
        return code[0] if isinstance(code, tuple) else code


@functools.cache
def languages() -> dict[str, Language]:
    """All languages by canonical code, in the order of the table."""
    document = read_yaml(Path(__file__).with_name("languages.yaml"))
    return {code: validated({"code": code, **fields}, Language, document) for code, fields in document.data.items()}


def get_language(code: str) -> Language:
    """The language of a canonical code.

    Raises:
        UsageError: unknown code; names the nearest, and knows the codes and names of others (`jp`, `swh`, `Chinese`).
    """
    table = languages()
    if code in table:
        return table[code]
    for language in table.values():
        aliases = {language.name.lower(), language.iso3, language.glotlid.lower(), (language.paper or "").lower()}
        for other in language.codes.values():
            aliases |= set(other) if isinstance(other, tuple) else {other.lower()}
        if code.lower() in aliases:
            raise UsageError(f"unknown language '{code}'", f"{language.name} is '{language.code}' here.")
    by_name = {language.name: language.code for language in table.values()}
    close = nearest(code, by_name) if len(code) > 3 else None
    if close is not None:
        raise UsageError(f"unknown language '{code}'", f"Did you mean {close}, '{by_name[close]}'?")
    raise unknown_name("language", code, table)


def language_of(dataset: str, code: str) -> Language | None:
    """The language that a data set calls `code`, or None."""
    for language in languages().values():
        theirs = language.codes.get(dataset)
        if code == theirs or (isinstance(theirs, tuple) and code in theirs):
            return language
    return None


def parse_languages(text: str) -> tuple[str, ...]:
    """`zh,ja` -> codes, checked, without repeats and without the central language."""
    codes = [part.strip() for part in text.split(",") if part.strip()]
    if not codes:
        raise UsageError("no language given", "Example: --languages zh,ja")
    seen = dict.fromkeys(get_language(code).code for code in codes)
    return tuple(code for code in seen if code != CENTRAL)

"""Health of the data, by task and language: what makes a score mean less than it seems, counted from the items themselves."""

from __future__ import annotations

import functools
import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from lensbench.datasets.rows import strings_in
from lensbench.languages import languages
from lensbench.reporting.html.gather import Entry

__all__ = ["Health", "health_of", "native_share"]

_SCRIPTS = {
    "Latn": ("LATIN",),
    "Hani": ("CJK",),
    "Jpan": ("CJK", "HIRAGANA", "KATAKANA", "HALFWIDTH"),
    "Kore": ("HANGUL", "CJK"),
    "Arab": ("ARABIC",),
    "Beng": ("BENGALI",),
    "Thai": ("THAI",),
    "Deva": ("DEVANAGARI",),
    "Telu": ("TELUGU",),
    "Taml": ("TAMIL",),
    "Cyrl": ("CYRILLIC",),
    "Grek": ("GREEK",),
    "Hebr": ("HEBREW",),
    "Geor": ("GEORGIAN",),
    "Armn": ("ARMENIAN",),
}
"""ISO 15924 -> how the Unicode names of its letters begin."""
_EMPTY_OPTION = re.compile(r"^[A-J][.):][ \t]*$", re.M)


@dataclass(frozen=True)
class Health:
    """One task in one language.

    Attributes:
        duplicates: Items whose question and options are those of an earlier one.
        empty: Items with a blank question, turn or option.
        other_script: Items most of whose letters are not of the language's script; None where the script is not known here.
        gold: How often each choice is the right one; empty for open questions, or where it could not be told.
    """

    task: str
    profile: str
    language: str
    items: int
    duplicates: int
    empty: int
    other_script: int | None
    gold: tuple[int, ...]


def health_of(entries: Sequence[Entry]) -> list[Health]:
    """Health of every task in every language; languages in the order in which they are met."""
    found = []
    for (task, profile, language), members in groupby(entries, key=lambda e: (e.task, e.profile, e.language)):
        held = list(members)
        known = languages().get(language)
        names = _SCRIPTS.get(known.script) if known else None
        shares = [native_share("\n".join(_texts(e)), names) for e in held] if names else []
        right = Counter(e.gold for e in held if e.gold is not None)
        found.append(
            Health(
                task,
                profile,
                language,
                len(held),
                duplicates=len(held) - len({_identity(e) for e in held}),
                empty=sum(map(_is_empty, held)),
                other_script=sum(share is not None and share < 0.5 for share in shares) if names else None,
                gold=tuple(right[choice] for choice in range(max((len(e.choices) for e in held), default=0))) if right else (),
            )
        )
    order = list(dict.fromkeys(one.language for one in found))
    return sorted(found, key=lambda one: order.index(one.language))


def native_share(text: str, names: Sequence[str]) -> float | None:
    """Share of a text's letters whose Unicode name begins like a script's; None for a text without letters."""
    letters = native = 0
    for character, count in Counter(text).items():
        beginning = _letter(character)
        if beginning:
            letters += count
            native += count * beginning.startswith(tuple(names))
    return native / letters if letters else None


@functools.lru_cache(maxsize=65536)
def _letter(character: str) -> str:
    """The Unicode name of a letter; "" for what is none."""
    return unicodedata.name(character, "?") if unicodedata.category(character).startswith("L") else ""


def _texts(entry: Entry) -> Iterator[str]:
    """What the data set wrote; the instruction around it may be in English by the profile's will."""
    yield from entry.turns or strings_in(entry.doc)


def _identity(entry: Entry) -> bytes:
    whole = "\x1f".join([entry.prompt, *entry.turns, *(part for choice in entry.choices for part in choice)])
    folded = " ".join(unicodedata.normalize("NFKC", whole).casefold().split())
    return hashlib.blake2b(folded.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _is_empty(entry: Entry) -> bool:
    if entry.turns:
        return any(not turn.strip() for turn in entry.turns)
    blank = any(not (context + continuation).strip() for context, continuation in entry.choices)
    own_context = any(context for context, _ in entry.choices)
    return blank or (not own_context and not entry.prompt.strip()) or bool(_EMPTY_OPTION.search(entry.prompt))

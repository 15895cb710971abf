"""Languages: one canonical code each, and conversion to and from every data set's own code.

The table is `languages.yaml` beside this file, and after it, with lines of the same form: the files that installed packages bring
(entry points `lensbench.languages`), `languages.yaml` in the folder of LENSBENCH_DATA, and those that `add_languages` was given
(of `include` and `data`).
"""

from __future__ import annotations

import difflib
import functools
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from lensbench.errors import LensbenchError, UsageError
from lensbench.jsonio import JsonObject
from lensbench.plugins import plugin_entries, plugin_file
from lensbench.safenames import checked_name
from lensbench.yamlio import Document, read_yaml, validated

__all__ = [
    "CENTRAL",
    "HOW_TO_ADD",
    "LANGUAGES_FILE",
    "UNKNOWN",
    "Language",
    "add_languages",
    "get_language",
    "language_named",
    "language_of",
    "languages",
    "parse_languages",
]

GROUP = "lensbench.languages"
"""Entry points of other packages' language files."""
LANGUAGES_FILE = "languages.yaml"
"""Name of a language file in a task or data folder."""
HOW_TO_ADD = (
    "A language that is not in the table is a line in a file `languages.yaml` in an ``include`` folder or in the data folder, "
    "such as `hu: {name: Hungarian, script: Latn, iso3: hun}`; docs/tasks.md."
)
_CODE = re.compile(r"[a-z]{2,8}(?:[-_][A-Za-z0-9]{2,8})*\Z")
_ISO_639_1 = frozenset(
    re.findall(
        "..",
        "aaabaeafakamanarasavayazbabebgbhbibmbnbobrbscacechcocrcscucvcydadedvdzeeeleneoeseteufafffifjfofrfygagdglgngugv"
        "hahehihohrhthuhyhziaidieigiiikioisitiujajvkakgkikjkkklkmknkokrkskukvkwkylalblglilnloltlulvmgmhmimkmlmnmrmsmtmy"
        "nanbndnengnlnnnonrnvnyocojomorospapiplpsptqurmrnrorurwsascsdsesgsiskslsmsnsosqsrssstsusvswtatetgthtitktltntotr"
        "tstttwtyugukuruzvevivowawoxhyiyozazhzu",
    )
)
"""Codes of a language of their own: not a slip of the finger for another."""

CENTRAL = "en"
"""The central language of the papers: what the backbone is good at, and the reference of every direction."""
UNKNOWN = "und"
"""ISO 639-2 for a language that nothing tells; it is none: no target, and in no mean."""


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
    """Whether spaces separate words."""
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


_added: list[Path] = []


def add_languages(folders: Iterable[Path]) -> None:
    """Take up the `languages.yaml` of each folder that has one; of a file, that of its folder.

    Raises:
        UsageError: such a file is wrong; with file and line.
    """
    for place in folders:
        if not place.exists():
            continue
        path = (place if place.is_dir() else place.parent) / LANGUAGES_FILE
        if path.is_file() and path.resolve() not in _added:
            _added.append(path.resolve())
            try:
                languages()
            except UsageError:
                _added.remove(path.resolve())
                raise


def languages() -> dict[str, Language]:
    """All languages by canonical code, in the order of the table."""
    more = list(_added)
    if named := os.environ.get("LENSBENCH_DATA"):
        path = Path(named) / LANGUAGES_FILE
        if path.is_file() and path.resolve() not in more:
            more.insert(0, path.resolve())
    return _table(tuple(more))


@functools.cache
def _table(more: tuple[Path, ...]) -> dict[str, Language]:
    table: dict[str, Language] = {}
    for path in (Path(__file__).with_name("languages.yaml"), *_brought(), *more):
        document = read_yaml(path)
        for code, fields in document.data.items():
            if not _CODE.match(code):
                raise UsageError(f"{document.where(code)}: '{code[:40]}' is not a language code", "Example: hu, or zh-Hant.")
            if not isinstance(fields, dict):
                found = str(fields)[:40]
                raise UsageError(f"{document.where(code)}: expected what describes '{code}', found {found!r}", HOW_TO_ADD)
            known = table[code].model_dump() if code in table else {}
            both = {**known, **fields, "code": code}
            if isinstance(known.get("codes"), dict) and isinstance(fields.get("codes"), dict):
                both["codes"] = {**known["codes"], **fields["codes"]}
            language = validated(_completed(both), Language, _Below(document, code))
            for theirs in language.codes.values():
                for one in (theirs,) if isinstance(theirs, str) else theirs:
                    checked_name(one, "folder of a language", document.where(code, "codes"))
            table[code] = language
    return table


_broken: list[str] = []
"""Packages whose language files cannot be used; said where a language is not found."""


def _brought() -> list[Path]:
    found = []
    for name in plugin_entries(GROUP):
        try:
            path = plugin_file(GROUP, name)
        except LensbenchError as error:
            _broken.append(error.message)
        else:
            found += [path] if path is not None else []
    return found


class _Below(Document):
    """A part of a document: places are named from there."""

    def __init__(self, document: Document, key: str) -> None:
        super().__init__(document.path, document.data[key], {})
        self._document, self._key = document, key

    def where(self, *key: str | int) -> str:
        return self._document.where(self._key, *key)


def _completed(fields: JsonObject) -> JsonObject:
    """The labels and codes that follow from name, script and ISO 639-3 code, where a line leaves them out."""
    iso3, script = fields.get("iso3"), fields.get("script")
    label = f"{iso3}_{script}"
    return {
        "native": fields.get("name"),
        "glotlid": label,
        "accepts": [iso3],
        "lid176": [fields["code"]],
        "nllb": label,
        "codes": {},
        **fields,
    }


def get_language(code: str) -> Language:
    """The language of a canonical code.

    Raises:
        UsageError: unknown code; names the nearest, knows the codes and names of others (`jp`, `swh`, `Chinese`, `Deutsch`), and
            says how a language is added.

    Examples:
        >>> get_language("sw").name
        'Swahili'
    """
    table = languages()
    if code in table:
        return table[code]
    other = language_named(code)
    if other is not None:
        raise UsageError(f"unknown language '{code}'", f"{other.name} is '{other.code}' here.")
    names = {language.name.lower(): language.code for language in table.values()}
    close = difflib.get_close_matches(code.lower(), names, n=1, cutoff=0.75) if len(code) > 3 else []
    if close:
        found = table[names[close[0]]]
        raise UsageError(f"unknown language '{code}'", f"Did you mean {found.name}, '{found.code}'?")
    guess = _near_code(code.lower(), table)
    meant = f"Did you mean '{guess}'? " if guess else ""
    broken = "".join(f"\n  {message}" for message in _broken)
    raise UsageError(f"unknown language '{code}'", f"{meant}Known: {', '.join(sorted(table))}.\n  {HOW_TO_ADD}{broken}")


def _near_code(code: str, table: Iterable[str]) -> str | None:
    """A code that differs in one letter and begins alike; none for what is another language's own code."""
    if len(code) > 3 or code in _ISO_639_1:
        return None
    alike = [other for other in table if other[:1] == code[:1] and len(other) <= len(code)]
    return next(iter(difflib.get_close_matches(code, alike, n=1, cutoff=0.5 if len(code) == 2 else 0.75)), None)


def language_named(name: str) -> Language | None:
    """The language that others call by this code or name, in English or its own: `jp`, `swh`, `chinese`, `Deutsch`; or None."""
    wanted = name.strip().lower()
    for language in languages().values():
        aliases = {language.code.lower(), language.name.lower(), language.native.lower(), language.iso3, language.glotlid.lower()}
        aliases |= {language.nllb.lower(), (language.paper or language.code).lower()}
        for other in language.codes.values():
            aliases |= {one.lower() for one in other} if isinstance(other, tuple) else {other.lower()}
        if wanted in aliases:
            return language
    return None


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
        raise UsageError("no language given", "Example: ``languages=zh,ja``")
    seen = dict.fromkeys(get_language(code).code for code in codes)
    return tuple(code for code in seen if code != CENTRAL)

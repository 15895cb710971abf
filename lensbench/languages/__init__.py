"""Languages: one canonical code each, and conversion to and from every data set's own code.

Imports the small modules at the top of lensbench only.
"""

from lensbench.languages.scripts import is_in_script, script_distinguishes
from lensbench.languages.table import (
    CENTRAL,
    HOW_TO_ADD,
    LANGUAGES_FILE,
    UNKNOWN,
    Language,
    add_languages,
    get_language,
    language_named,
    language_of,
    languages,
    parse_languages,
)

__all__ = [
    "CENTRAL",
    "HOW_TO_ADD",
    "LANGUAGES_FILE",
    "UNKNOWN",
    "Language",
    "add_languages",
    "get_language",
    "is_in_script",
    "language_named",
    "language_of",
    "languages",
    "parse_languages",
    "script_distinguishes",
]

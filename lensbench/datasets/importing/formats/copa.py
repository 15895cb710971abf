"""English COPA, the XML release behind XCOPA: `copa-dev.xml` and `copa-test.xml`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any
from xml.etree import ElementTree
from xml.parsers import expat

from lensbench.datasets.importing.model import Context, Format, Original, Skip, Split
from lensbench.datasets.importing.reading import Once, checked, label
from lensbench.datasets.rows import Row
from lensbench.errors import DataError
from lensbench.languages import get_language

__all__ = ["COPA", "TEST", "read_copa"]

LICENCE = "commonly cited as BSD 2-Clause; the release carries no licence file"
TEST = "test"
_RELEASE = 500
_FIRST_ID = {"dev": 1, TEST: 501}
_SPLIT = {"dev": "validation", TEST: "test"}
_NOTES = {
    "dev": ("COPA's development set has 500 items, XCOPA's validation split 100; idx does not align the two",),
    TEST: ("idx is the item's number less 501, as in XCOPA's test split",),
}
_SENTENCES = {"premise": "p", "choice1": "a1", "choice2": "a2"}
_LABELS = {"1": 0, "2": 1}


def part_of(original: Original) -> str | None:
    """ "dev" or "test" by the file's name, else None."""
    match = re.fullmatch(r"copa-(dev|test)\.xml", original.path.name)
    return match[1] if match else None


def read_copa(original: Original) -> list[Row]:
    """The items as XCOPA rows; wrong items are kept as problems.

    Raises:
        DataError: not XML, an entity declaration, or no item.
    """
    first = _FIRST_ID[part_of(original) or TEST]
    rows = []
    once = Once("id")
    number = 0
    for number, item in enumerate(_parse(original).iter("item"), start=1):
        with original.row(number):
            where = f"{original}, item {number}"
            row = checked(_row(item, first, where), "xcopa", where)
            once.check_row(row["idx"], row, number, where)
            rows.append(row)
    if not number:
        raise DataError(f"{original}: no <item> found")
    return rows


def _row(item: ElementTree.Element, first: int, where: str) -> Row:
    if not re.fullmatch(r"[0-9]{1,9}", item.get("id", "")) or int(item.get("id", "")) < first:
        raise DataError(f"{where}, column 'id': expected a number from {first} on, found {item.get('id')!r}")
    texts = {}
    for column, tag in _SENTENCES.items():
        found = item.find(tag)
        if found is None or not found.text or not found.text.strip():
            raise DataError(f"{where}: the sentence <{tag}> is missing or empty")
        texts[column] = found.text.strip()
    asks = item.get("asks-for", "")
    plausible = item.get("most-plausible-alternative", "")
    return texts | {
        "question": label(asks, {"cause": "cause", "effect": "effect"}, where, "asks-for"),
        "label": label(plausible, _LABELS, where, "most-plausible-alternative"),
        "idx": int(item.get("id", "")) - first,
        "changed": False,
    }


def _parse(original: Original) -> ElementTree.Element:
    """The root element. Declared entities can expand without bound, so a file that declares one is refused unread.

    The DTD that the release names beside the file is never fetched: expat does not load one unless it is told to.
    """

    def refuse(*declaration: Any) -> None:
        raise DataError(f"{original}, line {scout.CurrentLineNumber}: entity declarations are not accepted")

    scout = expat.ParserCreate()
    scout.EntityDeclHandler = refuse
    try:
        scout.Parse(original.content, True)
        return ElementTree.fromstring(original.content)
    except expat.ExpatError as error:
        raise DataError(f"{original}, line {error.lineno}: not XML ({error})") from None
    except (LookupError, ValueError) as error:
        raise DataError(f"{original}: not XML in a known encoding ({error})") from None
    except ElementTree.ParseError as error:
        raise DataError(f"{original}, line {error.position[0]}: not XML ({error})") from None


def _recognise(original: Original) -> str | Skip | None:
    if part_of(original):
        return original.name
    return Skip("copa-dev.xml and copa-test.xml have the same items") if original.path.name == "copa-all.xml" else None


def _convert(originals: Sequence[Original], context: Context) -> Iterator[Split]:
    for original in originals:
        part = part_of(original) or TEST
        rows = read_copa(original)
        yield Split(
            "xcopa",
            get_language("en"),
            _SPLIT[part],
            rows,
            (original,),
            LICENCE,
            notes=_NOTES[part],
            expected=_RELEASE,
            seen=len(rows) + len(original.problems.rows_of(original.name)),
        )


COPA = Format("copa", _recognise, _convert)

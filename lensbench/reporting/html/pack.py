"""Items as compressed blocks of a page: a small index for filters, and blocks of whole items that are opened on demand."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import struct
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from lensbench.jsonio import JsonObject
from lensbench.languages import CENTRAL
from lensbench.reporting.columns import Column
from lensbench.reporting.html.gather import Entry
from lensbench.reporting.html.text import compact_json

__all__ = ["NO_SIZE", "Group", "Packed", "link_id", "pack", "shared_ends"]

_BLOCK_BYTES = 256 * 1024
"""Of JSON in a block: opening one takes a few milliseconds, and deflate looks back no farther than 32 KiB anyway."""
_LINK_BYTES = 5
NO_SIZE = -32768
"""In place of a margin or a rating that is not there."""


@dataclass(frozen=True)
class Group:
    """A task in a language.

    Attributes:
        count: Of its items.
        head, tail: What the prompts of the group share, and its items leave out.
        open: Whether its questions are open, so that sizes are ratings; else they are margins.
    """

    task: str
    profile: str
    language: str
    count: int
    head: str
    tail: str
    open: bool


@dataclass(frozen=True)
class Packed:
    """What goes into the page.

    Attributes:
        groups: Tasks in a language, in order.
        index: Deflate and base64 of, for every item: its outcome bytes (item by item, one per column), then the row numbers
            (uint32, little-endian), then the links (5 bytes each), then the sizes that items can be sorted by (item by item, one
            int16 per column: hundredths of the margin in nats, or of the rating; `NO_SIZE` for none).
        starts: Number of the first item of every block.
        blocks: Deflate and base64 of a JSON list of items.
    """

    groups: list[Group]
    index: str
    starts: list[int]
    blocks: list[str]


def link_id(key: str) -> str:
    """What a deep link names an item by: 10 hex digits, the same in every report that holds the item."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[: 2 * _LINK_BYTES]


def pack(entries: Sequence[Entry], columns: Sequence[Column]) -> Packed:
    """Compress items; the same items give the same text.

    Args:
        entries: In the order of the report: items of a group together.
    """
    groups, contents = [], []
    sizes: list[int] = []
    twins = _twins(entries)
    for (task, profile, language), members in groupby(entries, key=lambda e: (e.task, e.profile, e.language)):
        held = list(members)
        head, tail = shared_ends([e.prompt for e in held])
        groups.append(Group(task, profile, language, len(held), head, tail, any(e.turns for e in held)))
        contents += [_content(e, len(head), len(tail), twins.get(e.key)) for e in held]
        sizes += _sizes(held, len(columns))
    starts, raw = _cut(contents)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        # zlib lets go of the interpreter while it compresses.
        blocks = list(pool.map(_compress, raw))
    index = b"".join(
        [
            b"".join(e.outcomes(columns) for e in entries),
            struct.pack(f"<{len(entries)}I", *(e.doc_id for e in entries)),
            b"".join(bytes.fromhex(link_id(e.key)) for e in entries),
            struct.pack(f"<{len(sizes)}h", *sizes),
        ]
    )
    return Packed(groups, _compress(index), starts, blocks)


_TEXT = 8
"""Signs of the shortest string of a row that is looked for in its prompt: shorter ones are labels."""

_BREAK = re.compile(r"\n|[.:?!] |[。：？！]")
"""Where an instruction may end in front of what an item itself says."""


def shared_ends(prompts: Sequence[str]) -> tuple[str, str]:
    """Beginning and end that all prompts of a group share, in whole lines or sentences: the chat template and the instruction.

    Fewer than three prompts share more than that by chance, so nothing is taken from them.
    """
    if len(prompts) < 3 or not all(prompts):
        return "", ""
    head = _shared_beginning(prompts)
    head = head[: max((match.end() for match in _BREAK.finditer(head)), default=0)]
    rest = [prompt[len(head) :] for prompt in prompts]
    tail = _shared_beginning([prompt[::-1] for prompt in rest])[::-1]
    start = tail.find("\n")
    tail = tail[start:] if start >= 0 else ""
    return (head, tail) if all(len(prompt) > len(tail) for prompt in rest) else (head, "")


def _shared_beginning(texts: Sequence[str]) -> str:
    # What the first and the last in the order of their signs share, all between them share.
    first, last = min(texts), max(texts)
    length = next(
        (i for i, (one, other) in enumerate(zip(first, last, strict=False)) if one != other), min(len(first), len(last))
    )
    return first[:length]


def _twins(entries: Sequence[Entry]) -> dict[str, int]:
    """Key of an item in another language -> number of its English twin, of the same run where that has one."""
    english: dict[tuple[object, ...], int] = {}
    for number, entry in enumerate(entries):
        if entry.language == CENTRAL and entry.source is not None:
            for key in ((entry.task, entry.profile, entry.source), (entry.task, entry.profile, entry.source, entry.run)):
                english.setdefault(key, number)
    found = {}
    for entry in entries:
        if entry.language != CENTRAL and entry.source is not None:
            key = (entry.task, entry.profile, entry.source)
            twin = english.get((*key, entry.run), english.get(key))
            if twin is not None:
                found[entry.key] = twin
    return found


def _sizes(held: Sequence[Entry], columns: int) -> Iterator[int]:
    """Margins, or ratings by the first judge, of the items of a group."""
    judges = {v.by for e in held for cell in e.cells.values() for answer in cell.answers for v in answer.verdicts}
    judge = min(judges, default="")
    for entry in held:
        for number in range(columns):
            cell = entry.cells.get(number)
            size = None if cell is None else cell.rating(judge) if entry.turns else cell.margin(entry.gold)
            yield NO_SIZE if size is None else max(-32767, min(32767, round(100 * size)))


def _content(entry: Entry, head: int, tail: int, twin: int | None) -> JsonObject:
    """One item as JSON; short names, since there are many.

    Args:
        twin: Number of the same item in English; None where there is none.
    """
    shown = entry.prompt[head : len(entry.prompt) - tail]
    content: JsonObject = {"k": entry.key, "p": shown, "x": _row(entry), "v": {}}
    if twin is not None:
        content["w"] = twin
    if entry.turns:
        content["t"] = entry.turns
    else:
        # Where in the prompt the row's own words begin: what the list of items shows.
        content["b"] = max(0, _own_words(entry) - head)
    if entry.choices:
        content["o"] = entry.choices if any(context for context, _ in entry.choices) else [text for _, text in entry.choices]
        content["g"] = entry.gold
    for column, cell in sorted(entry.cells.items()):
        content["v"][str(column)] = cell.packed()
    return content


def _own_words(entry: Entry) -> int:
    """Place in the prompt of the first of the row's texts that stands there; 0 where none does."""
    texts = (value.strip() for value in entry.doc.values() if isinstance(value, str) and len(value.strip()) >= _TEXT)
    return min((place for place in map(entry.prompt.find, texts) if place >= 0), default=0)


def _row(entry: Entry) -> JsonObject:
    """Fields of the row that are nowhere else in the item."""
    seen = "\n".join([entry.prompt, *entry.turns, *(part for choice in entry.choices for part in choice)])

    def shown(value: Any) -> bool:
        if isinstance(value, str):
            return not value.strip() or value.strip() in seen
        if isinstance(value, list | tuple):
            return all(isinstance(part, str) and shown(part) for part in value)
        return value is None

    return {name: value for name, value in entry.doc.items() if not shown(value)}


def _cut(contents: Sequence[JsonObject]) -> tuple[list[int], list[bytes]]:
    starts, blocks = [], []
    for start, block in _blocks(contents):
        starts.append(start)
        blocks.append(b"[" + b",".join(block) + b"]")
    return starts, blocks


def _blocks(contents: Sequence[JsonObject]) -> Iterator[tuple[int, list[bytes]]]:
    held: list[bytes] = []
    start = size = 0
    for number, content in enumerate(contents):
        text = compact_json(content)
        if held and size + len(text) > _BLOCK_BYTES:
            yield start, held
            held, start, size = [], number, 0
        held.append(text)
        size += len(text)
    if held:
        yield start, held


def _compress(raw: bytes) -> str:
    return base64.b64encode(zlib.compress(raw, 9)).decode("ascii")

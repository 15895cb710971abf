"""Files that are not data, recognised from their first bytes: pointers, error pages, archives, other encodings."""

from __future__ import annotations

import re

__all__ = ["HEAD_BYTES", "wrong_content"]

HEAD_BYTES = 1 << 16

_MAGIC = {
    b"\x1f\x8b": "gzip",
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"PAR1": "parquet",
    b"%PDF": "PDF",
    b"SQLite format 3": "SQLite",
    b"ARROW1": "Arrow",
}
_OWN_ENDING = {"gzip": ".gz", "parquet": ".parquet"}
"""Kinds that are read under their own ending."""
_WIDE = {b"\xff\xfe\x00\x00": "UTF-32", b"\x00\x00\xfe\xff": "UTF-32", b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}
_HTML = re.compile(rb"(<\?xml[^>]*>\s*)?<(!doctype\s+html|html|head|body)\b", re.IGNORECASE)
_SERVER = re.compile(
    rb"((404|403|401|429|500|502|503|504):? .{0,80}|entry not found|repository not found|not found|forbidden|unauthorized"
    rb"|invalid (username|credentials).{0,80}|access (denied|to .{0,120} restricted).{0,200}|too many requests.{0,120}"
    rb"|(internal server error|bad gateway|service unavailable|gateway time-?out).{0,80}|file not found)[.!]?\s*",
    re.IGNORECASE | re.DOTALL,
)
_XML_ERROR = re.compile(rb"(<\?xml[^>]*>\s*)?<Error>\s*<Code>", re.DOTALL)


def wrong_content(head: bytes, name: str) -> str | None:
    """What the file is instead of data, with what to do; None where nothing strange is seen.

    Args:
        head: The first bytes, `HEAD_BYTES` of them where there are as many; those of the unpacked content for `.gz`.
        name: The file's name, whose ending says what it should be.
    """
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith((b"version https://git-lfs.github.com/spec/", b"oid sha256:")):
        return "a git-lfs pointer, not the data; run `git lfs pull` in the clone"
    if b"/annex/objects/" in text[:200] and len(text) < 1000:
        return "a git-annex pointer, not the data; run `git annex get` in the clone"
    for magic, kind in _MAGIC.items():
        if head.startswith(magic):
            if name.endswith(_OWN_ENDING.get(kind, "\n")):
                return None
            return f"a {kind} file under a name that does not say so; unpack or rename it"
    for mark, kind in _WIDE.items():
        if head.startswith(mark):
            return f"{kind}, not UTF-8; convert it first (iconv -f {kind.lower()} -t utf-8)"
    if len(head) >= 8 and head[:4096].count(0) * 5 > len(head[:4096]):
        return "binary, or UTF-16 without a byte-order mark; convert it to UTF-8 first"
    if _HTML.match(_without_comments(text)):
        return "an HTML page, not the data; the download may have met a login or an error page"
    if _XML_ERROR.match(text) or (len(head) < 400 and _SERVER.fullmatch(text)):
        return "the error message of a server, not the data; download it again"
    if b"\r" in head and b"\n" not in head and not name.endswith(".csv"):
        return "text whose lines end in a carriage return alone; convert it first (tr '\\r' '\\n')"
    return None


def _without_comments(text: bytes) -> bytes:
    """The text after comments that it begins with."""
    while text.startswith(b"<!--"):
        text = text.partition(b"-->")[2].lstrip()
    return text

"""Releases that are known by sight and that no format reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lensbench.data.importing.model import Context, Format, Original, Skip, Split

__all__ = ["NOT_YET"]


def _recognise(original: Original) -> Skip | None:
    record, name = original.first_object, original.path.name
    if "question_id" in record or "judgment" in record:
        kind = "answers" if "choices" in record else "judgments" if "judgment" in record else "open questions"
        return Skip(f"{kind}: not imported yet")
    if original.path.suffix == ".tsv" and "snippet_en" in original.first_line.split("\t"):
        return Skip("PWS schemata: not imported yet")
    if name in ("language_names.json", "languages-v3.md"):
        return Skip("GlotLID labels: not imported yet")
    return None


def _convert(originals: Sequence[Original], context: Context) -> Iterator[Split]:
    return iter(())


NOT_YET = Format("not_yet", _recognise, _convert)

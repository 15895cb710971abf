"""Files that are known by sight and that no format reads, with the reason."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lensbench.datasets.importing.model import Context, Format, Original, Skip, Split

__all__ = ["NOT_YET"]


def _recognise(original: Original) -> Skip | None:
    record, name = original.first_object, original.path.name
    if "judgment" in record:
        return Skip("recorded verdicts of a judge: nothing to ask; they serve to check the verdict parser")
    if "choices" in record and "question_id" in record and not original.folder.startswith("reference_answer"):
        return Skip("recorded answers of a model: nothing to ask, and no reference answers")
    if original.path.suffix == ".tsv" and "snippet_en" in original.first_line.split("\t"):
        return Skip("PWS schemata: no format reads them into xwinograd")
    if name in ("language_names.json", "languages-v3.md"):
        return Skip("GlotLID's list of labels: no rows; the language table has the labels that are used")
    return None


def _convert(originals: Sequence[Original], context: Context) -> Iterator[Split]:
    return iter(())


NOT_YET = Format("not_yet", _recognise, _convert)

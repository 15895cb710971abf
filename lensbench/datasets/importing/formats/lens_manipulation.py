"""The manipulation sample of the LENS authors: parallel Bactrian-X prompts without answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lensbench.datasets.importing.model import Context, Format, Original, Split
from lensbench.datasets.importing.reading import as_object, checked, column, json_document
from lensbench.errors import DataError
from lensbench.languages import languages

__all__ = ["LENS_MANIPULATION"]

LICENCE = "CC BY-NC 4.0 (Bactrian-X); the sample itself states none"
JOINED = "instruction and input are joined in `instruction`, and there are no answers"
_ALPACA = 100
"""Instances up to here are Alpaca prompts; in the authors' whole file 100 harmful requests follow."""


def _recognise(original: Original) -> str | None:
    # The authors indent their file, so its first line tells nothing; the keys stand within the first few.
    if original.path.suffix != ".json" or not original.first_line.startswith("{"):
        return None
    head = original.head[:4096]
    return original.name if b'"Instances"' in head and b'"input_' in head else None


def _convert(originals: Sequence[Original], context: Context) -> Iterator[Split]:
    for original in originals:
        found = column(as_object(json_document(original), str(original)), "Instances", list, str(original))
        if not found:
            raise DataError(f"{original}, column 'Instances': empty")
        instances = found[:_ALPACA]
        first = as_object(instances[0], f"{original}, instance 1")
        codes = [key.removeprefix("input_") for key in first if key.startswith("input_")]
        unknown = [code for code in codes if code not in languages()]
        if unknown:
            context.note(f"{original.name}: prompts in {', '.join(unknown)} left out, not in the language table")
        for code in (code for code in codes if code in languages()):
            rows = []
            stripped = 0
            for number, instance in enumerate(instances, start=1):
                with original.row(number):
                    where = f"{original}, instance {number}"
                    prompt = column(as_object(instance, where), f"input_{code}", str, where)
                    if not prompt.strip():
                        raise DataError(f"{where}, column 'input_{code}': empty text")
                    # The ids are the same in every language: the prompts are translations of each other.
                    row = {"instruction": prompt.strip(), "input": "", "id": f"lens-pull-{number}", "output": ""}
                    rows.append(checked(row, "bactrian_x", where))
                    stripped += prompt != prompt.strip()
            notes = [JOINED]
            if stripped:
                notes.append(f"{stripped} of {len(rows)} prompts began or ended in white space, which was stripped")
            if len(found) > _ALPACA:
                notes.append(f"{len(found) - _ALPACA} instances from {_ALPACA + 1} on are harmful requests and were left out")
            yield Split(
                "bactrian_x",
                languages()[code],
                "train",
                rows,
                (original,),
                LICENCE,
                notes=tuple(notes),
                expected=_ALPACA,
                seen=len(instances),
                numbered=True,
            )


LENS_MANIPULATION = Format("lens_manipulation", _recognise, _convert)

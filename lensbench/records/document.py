"""The table of record fields in docs/architecture.md, made from the types. `python -m lensbench.records.document` prints it."""

from __future__ import annotations

from dataclasses import MISSING, fields

from lensbench.records.fields import Field, fields_of
from lensbench.records.reader import RECORDS
from lensbench.records.types import Record, ScoreRecord

__all__ = ["schema_lines"]

_OF_VARIANT = ("item", "variant", "state")


def schema_lines() -> list[str]:
    """Markdown: the fields that all records have, then one row for each file."""
    own = {field.name for field in fields(Record)}
    common = [field for field in fields_of(ScoreRecord) if field.name in own]
    of_variant = [field for field in fields_of(ScoreRecord) if field.name in _OF_VARIANT]
    rows = [
        f"| `{stage}.jsonl` | {kind.IS} | {_described(kind, {*own, *_OF_VARIANT} if stage != 'items' else own)} |"
        for stage, kind in RECORDS.items()
    ]
    return [
        f"All records have {_listed(common)}. All but items also have {_listed(of_variant)}.",
        "",
        "| file | one line | further fields |",
        "|---|---|---|",
        *rows,
    ]


def _described(kind: type, known: set[str]) -> str:
    return _listed([field for field in fields_of(kind) if field.name not in known])


def _listed(shown: list[Field]) -> str:
    return "; ".join(f"`{field.name}` ({_about(field)})" for field in shown)


def _about(field: Field) -> str:
    text = field.about
    if field.nested is not None:
        text = text.replace("{fields}", ", ".join(f"`{inner.name}`" for inner in fields_of(field.nested)))
    return text if field.written or field.default is MISSING else f"optional; {text}"


if __name__ == "__main__":
    print("\n".join(schema_lines()))

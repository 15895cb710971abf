"""What a file of published numbers may say. Numbers are strings, as printed: their digits say how far they were rounded."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

__all__ = [
    "CostRow",
    "Costs",
    "JudgeNamed",
    "Machine",
    "Note",
    "Published",
    "PublishedBackbone",
    "PublishedColumn",
    "ScoreRow",
    "ScoreTable",
    "SettingsRow",
    "half_digit",
    "seconds_of",
]

_TIME = re.compile(r"(?:(\d+)m)?(\d+)s")


def _number(text: str) -> str:
    if not re.fullmatch(r"\d+(\.\d+)?", text):
        raise ValueError(f"'{text}' is not a number as a paper prints it")
    return text


def _time(text: str) -> str:
    if not _TIME.fullmatch(text):
        raise ValueError(f"'{text}' is not a time such as 2m08s")
    return text


Printed = Annotated[str, AfterValidator(_number)]
Time = Annotated[str, AfterValidator(_time)]


def half_digit(printed: str) -> float:
    """Half a unit of the last printed digit: how far rounding may have moved the number."""
    exponent = Decimal(printed).as_tuple().exponent
    assert isinstance(exponent, int)
    return 0.5 * 10.0**exponent


def seconds_of(time: str) -> int:
    """`2m08s` -> 128."""
    found = _TIME.fullmatch(time)
    assert found is not None
    return 60 * int(found[1] or 0) + int(found[2])


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PublishedBackbone(_Strict):
    title: str
    hub: str
    """The checkpoint the paper means."""


class JudgeNamed(_Strict):
    title: str
    models: tuple[str, ...]
    """A model whose name begins with one of these is the paper's judge."""


class PublishedColumn(_Strict):
    """What a printed column measures."""

    task: str | None = None
    average: tuple[str, ...] = ()
    """The tasks that are averaged, in place of one task."""
    language: str | None
    """None: a mean over the paper's languages."""
    metric: str
    profile: str
    """The protocol behind it; the name of no profile of lensbench's where there is none."""
    n: int | None = Field(default=None, gt=0)
    """Items, or gradings, behind a number; None where the paper does not say."""

    @model_validator(mode="after")
    def _one_of_both(self) -> PublishedColumn:
        if (self.task is None) == (not self.average):
            raise ValueError("give either 'task' or 'average'")
        return self


class Note(_Strict):
    """What is known to be wrong or odd about a printed number."""

    text: str
    corrected: Printed | None = None
    """What was probably meant."""


class ScoreRow(_Strict):
    backbone: str
    method: str
    values: tuple[Printed, ...]
    """In the order of the table's columns."""
    notes: dict[str, Note] = Field(default_factory=dict)
    """By column."""


class ScoreTable(_Strict):
    tables: dict[str, int | None]
    """Backbone -> number of the table in the paper; None where the number is not known."""
    targets: tuple[str, ...] | None
    """Target languages the methods were fitted for; None where each language was fitted by itself."""
    columns: dict[str, PublishedColumn]
    rows: tuple[ScoreRow, ...]

    @model_validator(mode="after")
    def _rows_fit(self) -> ScoreTable:
        for row in self.rows:
            place = f"row {row.backbone}, {row.method}"
            if len(row.values) != len(self.columns):
                raise ValueError(f"{place}: {len(row.values)} values for {len(self.columns)} columns")
            if row.backbone not in self.tables:
                raise ValueError(f"{place}: 'tables' does not say where backbone {row.backbone} stands")
            unknown = [name for name in row.notes if name not in self.columns]
            if unknown:
                raise ValueError(f"{place}: a note for column {unknown[0]}, which does not exist")
        return self


class SettingsRow(_Strict):
    table: int
    method: str
    backbone: str
    targets: tuple[str, ...]
    values: dict[str, object]
    """Configuration key of lensbench's method -> the paper's value."""


class CostRow(_Strict):
    """What a method took. A key that is left out is printed as a dash."""

    method: str
    time: Time | None = None
    trainable_percent: Printed | None = None
    instructions: str | None = None
    """Count of instruction data, as printed."""
    pretraining: str | None = None
    unread: dict[str, str] = Field(default_factory=dict)
    """Key -> why it could not be read in the print."""


class Machine(_Strict):
    title: str
    names: tuple[str, ...]
    """An accelerator whose name holds one of these is the paper's."""


class Costs(_Strict):
    table: int
    backbone: str
    targets: tuple[str, ...]
    machine: Machine
    notes: tuple[str, ...] = ()
    rows: tuple[CostRow, ...]


class Published(_Strict):
    """One file: the numbers of one paper."""

    published: str
    title: str
    source: str
    backbones: dict[str, PublishedBackbone]
    """By lensbench's short name, or one in its style."""
    judge: JudgeNamed | None = None
    identifier: str | None = None
    """Name of the paper's language identifier, as lensbench calls it."""
    caveats: tuple[str, ...] = ()
    scores: tuple[ScoreTable, ...] = ()
    settings: tuple[SettingsRow, ...] = ()
    costs: Costs | None = None

    @model_validator(mode="after")
    def _backbones_named(self) -> Published:
        named = [row.backbone for table in self.scores for row in table.rows] + [row.backbone for row in self.settings]
        named += [self.costs.backbone] if self.costs else []
        for backbone in named:
            if backbone not in self.backbones:
                raise ValueError(f"backbone '{backbone}' is not described under 'backbones'")
        return self

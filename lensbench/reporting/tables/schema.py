"""What the YAML of a table may say."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = [
    "MODELS",
    "MOST_DIGITS",
    "AveragesTable",
    "CostTable",
    "Digits",
    "Emphasis",
    "Mean",
    "Measure",
    "ScoreTable",
    "SettingColumn",
    "SettingsOf",
    "SettingsTable",
    "TableSpec",
]

MOST_DIGITS = 6
"""Decimals that a table may print."""
Style = Literal["bold", "underline", "none"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Measure(_Strict):
    """One metric of one task."""

    id: str
    title: str
    task: str
    metric: str
    profiles: tuple[str, ...] = Field(min_length=1)
    """Profiles under which it may have been asked. One table never holds two."""
    languages: Literal["central", "targets", "all"] = "all"
    optional: bool = False
    """Shown only where a run has it; any other measure without a number is shown as missing."""


class Mean(_Strict):
    """An average over measures, in each language; where the languages are the columns, over languages."""

    id: str
    title: str
    over: tuple[str, ...] = ()
    """Ids of measures. Empty in a table whose columns are languages: it is taken over the target languages."""
    after: str | None = None
    """The measure it stands behind."""


class Emphasis(_Strict):
    """How the best of a column and the second best stand out."""

    best: Style = "bold"
    second: Style = "underline"
    over: Literal["all", "enhanced"] = "all"
    """All rows, or those without the untouched backbone (with one method only, that one would always be the best)."""


class Digits(_Strict):
    share: int = Field(default=2, ge=0, le=MOST_DIGITS)
    """Of shares, which are shown in percent."""
    rating: int = Field(default=2, ge=0, le=MOST_DIGITS)
    every: int | None = Field(default=None, ge=0, le=MOST_DIGITS)
    """Of all numbers, in place of the other two."""


class _Table(_Strict):
    table: str
    title: str
    about: str
    like: str | None = None
    """The printed table it follows."""
    rows: dict[str, str] = Field(default_factory=dict)
    """Variant -> its name in print, in the order of the rows; others follow under their own names."""
    published: tuple[str, ...] = ()
    """Published numbers that it is set against."""


class ScoreTable(_Table):
    """Numbers of variants."""

    kind: Literal["scores"]
    setting: Literal["bilingual", "multilingual", "any"]
    """Runs with one target language, with several, or both."""
    columns: Literal["measures", "languages"]
    """Measures side by side, each in its languages; or a section for every measure, with the languages side by side."""
    measures: tuple[Measure, ...] = Field(min_length=1)
    averages: tuple[Mean, ...] = ()
    emphasis: Emphasis = Emphasis()
    digits: Digits = Digits()

    @model_validator(mode="after")
    def _ids(self) -> ScoreTable:
        ids = [measure.id for measure in self.measures]
        if len(set(ids)) < len(ids):
            raise ValueError("two measures have one id")
        for mean in self.averages:
            for name in (*mean.over, *([mean.after] if mean.after else [])):
                if name not in ids:
                    raise ValueError(f"average '{mean.id}' names the measure '{name}', which does not exist")
            if (self.columns == "measures") != bool(mean.over):
                raise ValueError(f"average '{mean.id}': 'over' belongs to tables whose columns are measures, and only to those")
        return self


class AveragesTable(_Table):
    """Means over the tasks of each language, by variant: a section for each metric that the runs have."""

    kind: Literal["averages"]
    blocks: tuple[Literal["scores", "languages", "ratings"], ...] = Field(min_length=1)
    """What the metrics are made from, in the order of the sections. Metrics made from anything else are left out."""
    titles: dict[Literal["scores", "languages", "ratings"], str] = Field(default_factory=dict)
    """What a section is called; the metric's own name where this does not say."""
    targets: str = "Targets"
    """Title of the mean over the target languages."""
    emphasis: Emphasis = Emphasis()
    digits: Digits = Digits()


class CostTable(_Table):
    """What the methods took."""

    kind: Literal["cost"]
    digits: Digits = Digits()
    columns: tuple[
        Literal["time", "trained", "items", "tokens", "steps", "peak", "floor", "gpu", "generated", "translated", "server"], ...
    ] = Field(min_length=1)


class SettingColumn(_Strict):
    key: str
    """Key of the method's configuration."""
    title: str
    per_language: bool = False
    """One column for every target language."""


class SettingsOf(_Strict):
    title: str
    columns: tuple[SettingColumn, ...] = Field(min_length=1)


class SettingsTable(_Table):
    """What the methods were set to."""

    kind: Literal["settings"]
    methods: dict[str, SettingsOf]


TableSpec = ScoreTable | AveragesTable | CostTable | SettingsTable
MODELS: dict[str, type[_Table]] = {"scores": ScoreTable, "averages": AveragesTable, "cost": CostTable, "settings": SettingsTable}
"""By `kind`."""

"""The table of docs/sdrrl.md is SDRRL's configuration."""

from __future__ import annotations

from pathlib import Path

import yaml

from lensbench.methods import config_model
from lensbench.methods.sft.config import SftConfig

PAGE = Path(__file__).parents[2] / "docs" / "sdrrl.md"


def test_the_table_has_every_field_of_its_own_with_its_default() -> None:
    section = PAGE.read_text(encoding="utf-8").partition("## Configuration")[2].partition("\n## ")[0]
    rows = [[cell.strip().strip("`") for cell in line.split("|")[1:3]] for line in section.splitlines() if line.startswith("| `")]
    fields = {name: f for name, f in config_model("sdrrl")[0].model_fields.items() if name not in SftConfig.model_fields}
    assert {name for name, _ in rows} == set(fields)
    for name, cell in rows:
        default = fields[name].default
        assert yaml.safe_load(cell) == (list(default) if isinstance(default, tuple) else default), name


def test_the_shared_fields_have_the_defaults_of_xsft() -> None:
    ours, theirs = (config_model(name)[0].model_fields for name in ("sdrrl", "xsft"))
    assert all(ours[name].default == theirs[name].default for name in SftConfig.model_fields)

"""The table of docs/sft.md is the configuration of the three methods."""

from __future__ import annotations

from pathlib import Path

import yaml

from lensbench.methods import config_model

PAGE = Path(__file__).parents[2] / "docs" / "sft.md"


def test_the_table_has_every_field_with_its_default() -> None:
    section = PAGE.read_text(encoding="utf-8").partition("## Configuration")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| `")]
    table = {cells[0]: cells[1:4] for cells in ([c.strip().strip("`") for c in line.split("|")[1:5]] for line in lines)}
    models = [config_model(name)[0] for name in ("xsft", "xsft-full", "qalign")]
    assert set(table) == {name for model in models for name in model.model_fields}
    for name, cells in table.items():
        for model, cell in zip(models, cells, strict=True):
            if cell == "–":
                assert name not in model.model_fields
                continue
            default = model.model_fields[name].default
            text = cell or cells[0]
            written = float(text) if isinstance(default, float) else yaml.safe_load(text)
            assert written == (list(default) if isinstance(default, tuple) else default), f"{name} of {model.__name__}"

"""Examples of SDRRL, chosen from hand-made corpora."""

from __future__ import annotations

from typing import Any

from sdrrl_help import questions

from lensbench.methods.sdrrl.config import SdrrlConfig
from lensbench.methods.sdrrl.corpora import SdrrlCorpora, load_sdrrl


def chosen(*targets: str, rows: int = 60, **changes: Any) -> tuple[SdrrlCorpora, SdrrlConfig]:
    config = SdrrlConfig.model_validate({"n": 12, "translator": "self", "batch_size": 2, "micro_batch": 1, **changes})
    config.check(targets)
    return load_sdrrl(questions(("en", *targets), rows), ("en", *targets), config), config

"""Another rule for the choice of settings of a run that is there."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from lensbench.errors import UsageError
from lensbench.metrics import LANGUAGES, RATINGS, SCORES
from lensbench.numbers.picking.kept import forget_pick, keep_pick
from lensbench.numbers.picking.rule import parse_pick
from lensbench.numbers.picking.sides import sides_of
from lensbench.numbers.seed_settings import fitted_settings
from lensbench.records import ItemRecord, RunFolder

__all__ = ["set_pick"]


def set_pick(folder: RunFolder, rule: str | None) -> None:
    """Keep a rule beside a run.

    Args:
        rule: As text; None: nothing is chosen any more.

    Raises:
        UsageError: nothing to choose among, no item on one side, or no validation items in the run.
    """
    if rule is None:
        forget_pick(folder)
        return
    wanted = parse_pick(rule)
    items = list(folder.records(ItemRecord))
    settings = Counter(one.method for one in fitted_settings(folder))
    if not any(count > 1 for count in settings.values()):
        raise UsageError(
            "``pick``: no method of this run has several settings to choose among", "A run tries several with ``sweep``."
        )
    if wanted.validation and all(item.split is None for item in items):
        raise UsageError(
            "``pick=validation``: this run asked no validation items, and a finished run asks nothing more",
            "Begin another run with this rule, or choose with a share: ``pick=share=0.3``.",
        )
    counts = sides_of(items, wanted).counts
    empty = [f"{one.task}/{one.language}" for one in counts if not one.test] or (
        ["any task"] if not any(one.development for one in counts) else []
    )
    if empty:
        raise UsageError(f"``pick={rule}`` leaves one side without items in {', '.join(empty)}", "Give another share.")
    if wanted.endpoint is None:
        asks = [name for stage, name in (("score", SCORES.asks), ("answers", LANGUAGES.asks)) if folder.has_records(stage)]
        wanted = replace(wanted, endpoint=[*asks, RATINGS.asks][0])
    keep_pick(folder, wanted)

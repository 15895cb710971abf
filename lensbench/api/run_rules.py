"""Rules of a run that can be changed when it is finished: they change what its numbers mean, and none of its records."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lensbench.api.judging import existing_folder

if TYPE_CHECKING:
    from lensbench.records import RunFolder

__all__ = ["RunRules"]


class RunRules(ABC):
    """What `Run` can set."""

    folder: Path

    @abstractmethod
    def refresh(self) -> Any:
        """Forget what was read."""

    def set_english_margin(self, margin: float | str) -> None:
        """Set how large a loss in English counts as none. Results and reports are made again; nothing is asked again.

        Args:
            margin: Points of accuracy, or a text such as "accuracy=2,language=1,rating=0.2"; those not named stay as they are.

        Raises:
            UsageError: an unknown name, or no number above 0.
        """
        from lensbench.api.margins import english_margins
        from lensbench.numbers.margins import keep_margins

        margins = english_margins(margin)
        self._change(lambda folder: keep_margins(folder, margins))

    def set_pick(self, pick: bool | str | Mapping[str, Any] | None) -> None:
        """Choose a setting of each method by another rule, or by none. Results and reports are made again; nothing is asked.

        Which items choose is decided by a hash of their names, never by hand. The results say that the rule was set after the run
        had results, if it had: of several rules that were tried, the best-looking one is no honest report.

        Args:
            pick: As for `evaluate`; None or False: choose nothing, and report every variant on all items.

        Raises:
            UsageError: no rule, a run with nothing to choose among, or one that asked no validation items.
        """
        from lensbench.api.picks import as_pick
        from lensbench.stages.set_pick import set_pick

        rule = as_pick(pick)
        self._change(lambda folder: set_pick(folder, rule))

    def _change(self, keep: Callable[[RunFolder], object]) -> None:
        """Keep a rule, and make results and reports again."""
        from lensbench.stages.results import write_results

        folder = existing_folder(self.folder)
        with folder.lock():
            keep(folder)
            write_results(folder)
        self.refresh()

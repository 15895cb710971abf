"""The numbers of a run as pandas frames."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas

    from lensbench.frames import RunFrames

__all__ = ["RunTables"]


class RunTables:
    """What a run has as frames. Its files are read when a frame is first asked for."""

    folder: Path
    _frames: RunFrames | None = None

    @property
    def _read(self) -> RunFrames:
        from lensbench.frames import load as load_frames

        if self._frames is None:
            self._frames = load_frames(self.folder)
        return self._frames

    @property
    def averages(self) -> pandas.DataFrame:
        """One row per average: role, variant, metric, difference to `base`, adjusted p, verdict; of English whether it was kept.

        The endpoints are the rows with the role "endpoint": `run.averages.query("role == 'endpoint' and verdict == 'better'")`.

        Raises:
            UnavailableError: pandas is not installed.
        """
        return self._read.averages

    @property
    def pairs(self) -> pandas.DataFrame:
        """One row per endpoint and pair of enhanced variants: the difference, its interval, adjusted p and verdict.

        Raises:
            UnavailableError: pandas is not installed.
        """
        return self._read.pairs

    @property
    def seeds(self) -> pandas.DataFrame:
        """One row per setting with several seeds and average: mean, deviation, and an interval of seeds and items.

        Raises:
            UnavailableError: pandas is not installed.
        """
        return self._read.seeds

    @property
    def settings(self) -> pandas.DataFrame:
        """One row per setting and average: difference to `base` over its seeds, interval, English, and the Pareto front.

        A sweep sorted by endpoint: `run.settings.query("role == 'endpoint' and metric == 'acc'").sort_values("delta")`.

        Raises:
            UnavailableError: pandas is not installed.
        """
        return self._read.settings

    @property
    def cells(self) -> pandas.DataFrame:
        """One row per number: value, n, failures, interval, chance, paired difference to `base`, p of this cell alone.

        A cell is exploratory: its verdict is "exploratory" or missing. Verdicts are in `averages`.

        Raises:
            UnavailableError: pandas is not installed.
        """
        return self._read.cells

    @property
    def items(self) -> pandas.DataFrame:
        """One row for every item, variant and turn, with the text and its score.

        Raises:
            UnavailableError: pandas is not installed.
        """
        return self._read.items

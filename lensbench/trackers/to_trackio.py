"""trackio: in its local mode, in the folder of `TRACKIO_DIR`; `TRACKIO_SPACE_ID` is trackio's own way to send it elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

from lensbench.trackers.protocol import PROJECT

__all__ = ["Trackio"]


class Trackio:
    """A run of trackio. Machine load is not recorded."""

    def __init__(self) -> None:
        import trackio

        self._trackio = trackio
        self._run: Any = None

    def start(self, name: str, options: Mapping[str, str]) -> None:
        # It prints, and standard output belongs to the results.
        with redirect_stdout(StringIO()):
            self._run = self._trackio.init(
                PROJECT, name=name, config=dict(options), resume="allow", embed=False, auto_log_gpu=False, auto_log_cpu=False
            )

    def numbers(self, values: Mapping[str, float], step: int | None = None) -> None:
        self._run.log(dict(values))

    def file(self, path: Path) -> None:
        self._run.log_artifact(str(path), name=path.name.replace(".", "-"), type="lensbench")

    def finish(self, failed: bool) -> None:
        with redirect_stdout(StringIO()):
            self._run.finish()

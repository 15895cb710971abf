"""A run beside which a tracker writes; a tracker that fails ends nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from lensbench.jsonio import JsonObject, read_json_file
from lensbench.progress import Progress
from lensbench.trackers.content import numbers_of, options_of, plain_name
from lensbench.trackers.protocol import Tracker

__all__ = ["tracked"]

_FILES = ("run.json", "results.json", "report.md", "report.html")
_SHARES = 10
"""Progress of a stage is written so often."""


@contextmanager
def tracked(tracker: Tracker | None, spec: JsonObject, folder: Path, progress: Progress) -> Iterator[Progress]:
    """While the context lasts, progress goes to the tracker too; at its end results and files do, also after a failure.

    Args:
        tracker: None: nothing is written anywhere.
        spec: Of the run, as in `run.json`.
        folder: The run folder.
        progress: What the run reports to.
    """
    if tracker is None:
        yield progress
        return
    careful = _Careful(progress)
    careful(lambda: tracker.start(folder.name, options_of(spec)))
    failed = True
    try:
        yield _Forwarding(tracker, progress, careful)
        failed = False
    finally:
        if (folder / "results.json").is_file():
            careful(lambda: tracker.numbers(numbers_of(read_json_file(folder / "results.json"))))
        for path in (folder / name for name in _FILES):
            if path.is_file():
                careful(partial(tracker.file, path))
        careful(lambda: tracker.finish(failed))


class _Careful:
    """Calls until the first call that fails, which is said."""

    def __init__(self, progress: Progress) -> None:
        self._progress, self._broken = progress, False

    def __call__(self, call: Callable[[], object]) -> None:
        if self._broken:
            return
        try:
            call()
        except Exception as error:  # Packages of others raise what they like, and the run matters more.
            self._broken = True
            told = str(error).strip().split("\n")[0]
            self._progress.notify(f"! the tracker failed, and the run goes on without it: {type(error).__name__}: {told}")


class _Forwarding:
    """Progress that the tracker hears too."""

    def __init__(self, tracker: Tracker, progress: Progress, careful: _Careful) -> None:
        self._tracker, self._progress, self._careful = tracker, progress, careful

    @contextmanager
    def stage(self, title: str, total: int) -> Iterator[Any]:
        name = f"progress/{plain_name(title)}"
        done, told = 0, -1
        with self._progress.stage(title, total) as shown:

            def advance(n: int = 1, note: str = "") -> None:
                nonlocal done, told
                shown(n, note)
                done += n
                share = _SHARES * done // total if total else _SHARES
                if share > told:
                    told = share
                    self._careful(lambda: self._tracker.numbers({name: done / total if total else 1.0}, step=share))

            yield advance

    def notify(self, text: str) -> None:
        self._progress.notify(text)

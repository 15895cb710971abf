"""Trackers by name."""

from __future__ import annotations

from importlib import import_module

from lensbench.errors import unknown_name
from lensbench.extras import missing_package
from lensbench.trackers.protocol import Tracker

__all__ = ["TRACKERS", "open_tracker"]

TRACKERS = {
    "mlflow": ("lensbench.trackers.to_mlflow", "Mlflow"),
    "trackio": ("lensbench.trackers.to_trackio", "Trackio"),
    "wandb": ("lensbench.trackers.to_wandb", "Wandb"),
}
"""Name -> module and class."""


def open_tracker(name: str) -> Tracker:
    """
    Raises:
        UsageError: an unknown name; names the nearest.
        UnavailableError: its package is not installed.
    """
    if name not in TRACKERS:
        raise unknown_name("tracker", name, TRACKERS)
    module, kind = TRACKERS[name]
    try:
        made: Tracker = getattr(import_module(module), kind)()
    except ImportError as error:
        missing = missing_package(error)
        if missing is None:
            raise
        raise missing from None
    return made

"""Copies of a run for experiment trackers (MLflow, W&B, trackio), off by default: options, progress, endpoints, costs, files.

It may import `progress` and the small modules at the top; it reads a run's files as JSON and changes nothing in them.
"""

from lensbench.trackers.registry import TRACKERS, open_tracker
from lensbench.trackers.tracked import tracked

__all__ = ["TRACKERS", "open_tracker", "tracked"]

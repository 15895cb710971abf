"""MLflow: its tracking URI is that of `MLFLOW_TRACKING_URI`, else MLflow's own default."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lensbench.trackers.protocol import PROJECT

__all__ = ["Mlflow"]

_LONGEST = 6000
"""Characters of a value that MLflow takes."""


class Mlflow:
    """A run of MLflow's client, which leaves the program's own active run alone."""

    def __init__(self) -> None:
        from mlflow import MlflowClient

        self._client = MlflowClient()
        self._run = ""

    def start(self, name: str, options: Mapping[str, str]) -> None:
        found = self._client.get_experiment_by_name(PROJECT)
        experiment = found.experiment_id if found is not None else self._client.create_experiment(PROJECT)
        self._run = self._client.create_run(experiment, run_name=name).info.run_id
        for key, value in options.items():
            self._client.log_param(self._run, key, value[:_LONGEST])

    def numbers(self, values: Mapping[str, float], step: int | None = None) -> None:
        for key, value in values.items():
            self._client.log_metric(self._run, key, value, step=step)

    def file(self, path: Path) -> None:
        self._client.log_artifact(self._run, str(path))

    def finish(self, failed: bool) -> None:
        self._client.set_terminated(self._run, "FAILED" if failed else "FINISHED")

"""The folder of an experiment with several backbones: one ordinary run folder for each, and a file that names them.

::

    EXPERIMENT/
      experiment.json   the groups: folder and backbone of each, in their order
      run.yaml          the choices of the last start, from which all can be repeated
      GROUP/            a run folder (lensbench/records/run_folder.py)
      report.html       the report of all groups
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from lensbench.errors import DataError, RunError
from lensbench.jsonio import json_text, read_json_file
from lensbench.records.run_folder import write_atomically
from lensbench.safenames import inside, is_safe_name

__all__ = ["EXPERIMENT_FILE", "Group", "begun_groups", "read_groups", "write_groups"]

EXPERIMENT_FILE = "experiment.json"


@dataclass(frozen=True)
class Group:
    """The run of one backbone.

    Attributes:
        folder: Name of its folder inside the experiment's.
        backbone: The backbone as the user named it.
    """

    folder: str
    backbone: str

    def begun(self, home: Path) -> bool:
        """Whether its run has begun to score, so that it has numbers to show."""
        return any((home / self.folder / name).is_file() for name in ("results.json", "variants.json"))


def read_groups(path: Path) -> tuple[Group, ...] | None:
    """The groups of an experiment; None of a folder that is no experiment.

    Raises:
        RunError: the file cannot be read, or names a folder outside the experiment's.
    """
    file = path / EXPERIMENT_FILE
    if not file.is_file():
        return None
    hint = "Repeat the experiment, or copy the file again."
    try:
        content = read_json_file(inside(path, file))
        groups = tuple(Group(str(entry["folder"]), str(entry["backbone"])) for entry in content["groups"])
    except DataError as error:
        raise RunError(f"{file}: not readable ({error.message})", hint) from None
    except (KeyError, TypeError):
        raise RunError(f"{file}: it does not name its groups", hint) from None
    for group in groups:
        if not is_safe_name(group.folder):
            raise RunError(f"{file}: {group.folder!r} is no name of a folder", hint)
        inside(path, path / group.folder)
    return groups


def begun_groups(path: Path, groups: Sequence[Group]) -> list[Path]:
    """Run folders of the groups that have numbers."""
    return [path / group.folder for group in groups if group.begun(path)]


def write_groups(path: Path, groups: Sequence[Group], version: str) -> None:
    """
    Raises:
        RunError: the file cannot be written.
    """
    content = {"format": 1, "lensbench": version, "groups": [asdict(group) for group in groups]}
    write_atomically(path / EXPERIMENT_FILE, json_text(content, indent=1) + "\n")

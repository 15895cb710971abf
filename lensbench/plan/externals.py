"""Which other checkpoints are variants of a run."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from lensbench.backbones import Backbone, get_backbone
from lensbench.errors import UsageError

__all__ = ["find_externals"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")


def find_externals(given: Sequence[str], taken: Sequence[str]) -> Mapping[str, tuple[str, Backbone]]:
    """Checkpoints by the name of their variant, as they were given and as they were found.

    Args:
        given: `NAME=SHORT|HUB|PATH`, or a short name that is the variant's too.
        taken: Names of the run's other variants.

    Raises:
        UsageError: a name that cannot be one, that is given twice or taken; an unknown checkpoint.
    """
    found: dict[str, tuple[str, Backbone]] = {}
    for text in given:
        name, equals, place = text.partition("=")
        if not equals:
            place = name
        if not _NAME.fullmatch(name):
            raise UsageError(f"--variant {text}: '{name}' cannot name a variant", "Example: --variant mine=path/to/model")
        if name in found or name in taken or name == "base":
            raise UsageError(f"--variant {text}: the run has a variant '{name}' already", "Give it another name before the '='.")
        backbone = get_backbone(place)
        found[name] = (str(Path(place).expanduser().resolve()) if backbone.path is not None else place, backbone)
    return found

"""Other checkpoints as variants: which ones, and the run's questions in their own words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from lensbench.backbones import Backbone, get_backbone
from lensbench.errors import RunError, UsageError

if TYPE_CHECKING:
    from lensbench.pipeline.load_items import AskedTask

__all__ = ["find_externals", "under_the_same_ids"]

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


def under_the_same_ids(asked: Sequence[AskedTask], original: Sequence[AskedTask]) -> list[AskedTask]:
    """The run's questions as another checkpoint's chat template words them, under the ids they have for the backbone.

    An id stands for the question as the backbone is asked it, and answers are paired by it. Only the template can differ here,
    which is part of an answer's key by way of the tokenizer's digest.

    Raises:
        RunError: the two are not the same rows.
    """
    renamed = []
    for theirs, ours in zip(asked, original, strict=True):
        if [item.row for item in theirs.items] != [item.row for item in ours.items]:
            raise RunError(f"{ours.name}: rows differ between two variants of one run")
        items = tuple(replace(item, id=own.id) for item, own in zip(theirs.items, ours.items, strict=True))
        renamed.append(replace(theirs, items=items))
    return renamed

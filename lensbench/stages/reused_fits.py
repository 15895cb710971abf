"""Fits of earlier runs: the store knows in which run folder the enhancement of a fit is, and this run links its files."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from lensbench.backbones.checkpoint import file_sha256
from lensbench.backbones.lazy import LazyBackbone
from lensbench.datasets.rows import strings_in
from lensbench.errors import DataError
from lensbench.jsonio import JsonObject, read_json_file
from lensbench.languages import CENTRAL
from lensbench.methods.base import Progress, TrainingData
from lensbench.plan.plan import Plan
from lensbench.plan.variants import PlannedVariant
from lensbench.records import RunFolder
from lensbench.records.run_folder import write_atomically
from lensbench.reuse import environment, key_of_content
from lensbench.stages.reuse import Reuse, method_code

__all__ = ["keep_fits", "take_fits"]

_KIND = "fits"
_CARD = "card.json"
_FROM = "reused_from"
_PLACES = 8
"""Folders that are remembered of one fit: each run that takes it adds its own."""

Corpora = Mapping[str, TrainingData | None]


def take_fits(
    reuse: Reuse, plan: Plan, folder: RunFolder, model: LazyBackbone, corpora: Corpora, progress: Progress
) -> dict[str, TrainingData | None]:
    """Link the enhancements that an earlier run fitted in the same way.

    Args:
        corpora: By variant, what it learns from; None where there is nothing to fit.

    Returns:
        The same without those of the variants that need no fit any more.
    """
    left, used = dict(corpora), Counter[str]()
    for name, variant in plan.variants.items():
        learned = corpora[name]
        key = _key(variant, plan, model, learned) if learned is not None else None
        content = reuse.store.get(_KIND, key) if key is not None else None
        if key is None or content is None:
            continue
        if not _is_entry(content):
            reuse.store.report_damage(_KIND, key, "it does not say where the fit is")
            continue
        home, reasons = folder.enhancement(name), []
        for place in content["places"]:
            reason = _link(Path(place), home, content)
            if reason is None:
                left[name] = None
                reuse.taken[_KIND] += 1
                used[str(Path(place).parent.parent)] += 1
                _remember(reuse, key, home, content)
                break
            reasons.append(f"{place}: {reason}")
        else:
            progress.notify(f"! cache: {name} was fitted before, and is fitted again: {'; '.join(reasons)}")
    for run, number in used.items():
        progress.notify(f"cache: {number} of {len(corpora)} fits are those of {run}")
    return left


def keep_fits(reuse: Reuse, plan: Plan, folder: RunFolder, model: LazyBackbone, corpora: Corpora, progress: Progress) -> None:
    """Put into the store where the enhancements of this start are.

    Args:
        corpora: Of the variants that were fitted in it; None for the others.
    """
    for name, variant in plan.variants.items():
        learned, home = corpora[name], folder.enhancement(name)
        if learned is None or not (home / _CARD).is_file():
            continue
        key = _key(variant, plan, model, learned)
        if key is None:
            progress.notify(f"cache: the fit of {name} takes no part in it: the code of method {variant.method} is not known")
            continue
        with suppress(OSError, DataError):
            files = {path.relative_to(home).as_posix(): file_sha256(path) for path in _files(home)}
            content = {"files": files, "card": _card_digest(read_json_file(home / _CARD)), "places": []}
            _remember(reuse, key, home, content)


def _key(variant: PlannedVariant, plan: Plan, model: LazyBackbone, learned: TrainingData) -> str | None:
    """By everything that decides a fit; None if the code of the method is not known."""
    code = method_code(variant.method)
    if code is None or model.trust:
        return None
    config = variant.config.model_dump(mode="json")
    rows = {key: [origin.digest, origin.rows] for key, origin in learned.origins.items()}
    own = [model.checkpoint.digest, model.tokenizer_digest, model.backbone.system_text]
    what = [variant.method, code, config, dict(_named_files(config)), [CENTRAL, *plan.spec.languages]]
    return key_of_content([_KIND, environment(model.device, model.dtype), own, what, rows, list(learned.texts())])


def _named_files(value: Any) -> Iterator[tuple[str, str]]:
    """Digest of each file that a setting names: its content may change while its path stays."""
    for text in strings_in(value):
        with suppress(OSError, ValueError):
            if text and Path(text).is_file():
                yield text, file_sha256(Path(text))


def _is_entry(content: Any) -> bool:
    if not isinstance(content, dict) or not isinstance(content.get("card"), str):
        return False
    files, places = content.get("files"), content.get("places")
    if not isinstance(files, dict) or not isinstance(places, list) or not all(isinstance(place, str) for place in places):
        return False
    parts = [Path(name).parts for name in files]
    return all(own and ".." not in own and not Path(*own).is_absolute() for own in parts)


def _link(place: Path, home: Path, content: JsonObject) -> str | None:
    """Link or copy the files of a fit, the card last.

    Returns:
        None, or why they cannot be used.
    """
    try:
        if not (place / _CARD).is_file():
            return "it is gone"
        card = read_json_file(place / _CARD)
        if _card_digest(card) != content["card"]:
            return "its card has changed"
        for name, digest in content["files"].items():
            target = home / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.unlink(missing_ok=True)
            _link_or_copy(place / name, target)
            if file_sha256(target) != digest:
                target.unlink(missing_ok=True)
                return f"{name} has changed"
    except DataError as error:
        return error.message
    except OSError as error:
        return f"{error.strerror or error}"
    write_atomically(home / _CARD, json.dumps({**card, _FROM: _shown(place)}, indent=2, ensure_ascii=False) + "\n")
    return None


def _link_or_copy(source: Path, target: Path) -> None:
    # A link that leads elsewhere would be shared as it is.
    source = source.resolve(strict=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _shown(place: Path) -> str:
    """The last parts of a path: a card is shown to others, and where a user's files are is nobody's business."""
    return "/".join(place.parts[-3:])


def _files(home: Path) -> Collection[Path]:
    """The files of an enhancement but its card."""
    found = sorted(path for path in home.rglob("*") if path.is_file() and path.name != _CARD and path.suffix != ".partial")
    if any(path.is_symlink() for path in found):
        raise OSError("it has links")
    return found


def _card_digest(card: Any) -> str:
    return key_of_content({name: value for name, value in card.items() if name != _FROM} if isinstance(card, dict) else card)


def _remember(reuse: Reuse, key: str, home: Path, content: JsonObject) -> None:
    places = list(dict.fromkeys([*content["places"], str(home.resolve())]))
    if places != content["places"]:
        reuse.store.put(_KIND, key, {**content, "places": places[-_PLACES:]}, backbone=reuse.backbone, count=1, replace=True)

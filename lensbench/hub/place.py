"""Address of the hub and folder of its files: the variables of huggingface_hub, read when they are needed."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["endpoint", "has_token", "hub_cache", "offline", "proxies"]

_YES = ("1", "ON", "YES", "TRUE")


def endpoint() -> str:
    """HF_ENDPOINT, otherwise the public hub."""
    return (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")


def hub_cache() -> Path:
    """HF_HUB_CACHE, else `hub` in HF_HOME, else the folder that huggingface_hub uses."""
    named = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE")
    if named:
        return Path(named).expanduser()
    home = os.environ.get("HF_HOME")
    if home is None:
        home = str(Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface")
    return Path(home).expanduser() / "hub"


def offline() -> bool:
    """Whether the user has forbidden requests (HF_HUB_OFFLINE, or transformers' name for it)."""
    if any(os.environ.get(name, "").upper() in _YES for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")):
        return True
    from huggingface_hub import constants

    return bool(constants.HF_HUB_OFFLINE)


def has_token() -> bool:
    """Whether requests carry a token."""
    from huggingface_hub import get_token

    return bool(get_token())


def proxies() -> list[str]:
    """The proxies that this process's requests would go through, without user names and passwords."""
    from urllib.request import getproxies

    return sorted({address.rsplit("@", 1)[-1] for scheme, address in getproxies().items() if scheme in ("http", "https", "all")})

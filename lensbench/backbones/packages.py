"""Packages that carry a model and are installed apart from the others, because their own dependencies are not needed.

`pip check` would miss those dependencies if the package lay beside the others. Where it lies there, it is found too.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import sys
from pathlib import Path

__all__ = ["install_command", "package_folder", "package_version", "shelf"]


def shelf() -> Path:
    """The folder of this environment for such packages."""
    return Path(sys.prefix) / "share" / "lensbench"


def package_folder(module: str) -> Path | None:
    """Where a module's files are; None when it is not installed."""
    if (shelf() / module).is_dir():
        return shelf() / module
    found = importlib.util.find_spec(module)
    return Path(found.submodule_search_locations[0]) if found and found.submodule_search_locations else None


def package_version(package: str) -> str | None:
    """The installed version of a package of models; None when it is not installed."""
    apart = importlib.metadata.distributions(name=package, path=[str(shelf())])
    beside = importlib.metadata.distributions(name=package)
    return next((found.version for place in (apart, beside) for found in place), None)


def install_command(package: str, version: str) -> str:
    return f"pip install --no-deps --upgrade --target '{shelf()}' {package}=={version}"

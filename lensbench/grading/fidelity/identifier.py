"""Language identification by fastText models.

Numbers from unlike identifiers must never share a column, so the signature (name and digest) goes into every record.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lensbench.errors import UnavailableError
from lensbench.grading.fidelity.floor import FLOOR, UNSURE, is_trusted
from lensbench.grading.fidelity.labels import is_lenient, is_strict, is_unknown, language_of_label
from lensbench.grading.fidelity.modelfile import LABEL_PREFIX, read_labels
from lensbench.grading.fidelity.trial import try_in_child
from lensbench.languages import Language, languages
from lensbench.reasoning import split_reasoning
from lensbench.records import Grader

__all__ = ["Identified", "Identifier"]

_END = "</s>"
"""fastText's own mark for the end of a line."""
_PACKAGES = (
    "fasttext and fasttext-wheel 0.9.x do not work under NumPy 2, and all of these packages share one module name. "
    "pip uninstall -y fasttext fasttext-wheel fasttext-predict; pip install fasttext-predict (or fasttext-community)"
)


@dataclass(frozen=True)
class Identified:
    """The identifier's label for one text."""

    label: str | None
    """None for a text with nothing but white space: an empty answer is its own state."""
    probability: float | None


class Identifier:
    """A fastText language identifier, of lid.176's or GlotLID's style of labels.

    Args:
        name: Short name, as it stands in signatures.
        path: The model file.
        floor: Probability below which a label counts as none (`UNSURE`); 0 trusts every label.

    Raises:
        UnavailableError: the file is not a whole fastText classifier of languages, or the installed fastText does not work.
    """

    def __init__(self, name: str, path: Path, floor: float = FLOOR) -> None:
        self.name = name
        self.floor = floor
        self.labels = read_labels(path)
        if not any(language_of_label(label) for label in self.labels):
            some = ", ".join(self.labels[:5])
            raise UnavailableError(
                f"{path} does not identify languages known here: its labels are {some}",
                "Labels must be like lid.176's (sw, zh) or GlotLID's (swh_Latn, cmn_Hani).",
            )
        with path.open("rb") as stream:
            self.digest = hashlib.file_digest(stream, "sha256").hexdigest()
        try_in_child(path, self.digest)
        self._model = _load(path)

    @property
    def grader(self) -> Grader:
        digest = self.digest[:8]
        return Grader("identifier", self.name, digest=f"{digest}@{self.floor:g}" if self.floor else digest)

    @property
    def signature(self) -> str:
        """The grader as text: different signatures never share a column."""
        return str(self.grader)

    def identify(self, text: str) -> Identified:
        """The top label of a text.

        White space and NULs are folded to single spaces, as fastText reads one line. The word `</s>`, which models write, is
        left out: to fastText it is the end of the line, and nothing behind it would be read. Reasoning is no part of an answer.
        """
        text = split_reasoning(text).answer
        # A lone surrogate has no UTF-8 form; it becomes a question mark.
        readable = text.encode("utf-8", "replace").decode("utf-8")
        line = " ".join(word for word in readable.replace("\0", " ").split() if word != _END)
        if not line:
            return Identified(None, None)
        try:
            labels, probabilities = self._model.predict(line, k=1)
        except Exception as error:
            # "Encountered NaN", say; fastText raises plain errors.
            reason = (str(error).splitlines() or [type(error).__name__])[0][:160]
            raise UnavailableError(
                f"{self.name} cannot read a text: {reason}", "The model file is damaged; fetch it again."
            ) from None
        if not labels:
            return Identified("und", 0.0)
        # fastText's own rounding makes it 1.00001 at times.
        return Identified(labels[0].removeprefix(LABEL_PREFIX), min(float(probabilities[0]), 1.0))

    def trusted(self, found: Identified) -> str | None:
        """The label of a text, or `UNSURE` where its probability lies below the floor."""
        return found.label if is_trusted(found.probability, self.floor) else UNSURE

    def covers(self, language: Language) -> bool:
        """Whether any label of this identifier counts as a language, strictly; if not, every answer in it looks unfaithful.

        The lists that decide are those of the numbers: an identifier that has relatives of a language only (`zho_Hans`, but no
        `cmn_Hani`) can give a lenient number and no strict one.
        """
        return any(is_strict(label, language) for label in self.labels)

    def covers_leniently(self, language: Language) -> bool:
        """The same for lenient numbers."""
        return any(is_lenient(label, language) for label in self.labels)

    def missing(self) -> tuple[str, ...]:
        """Canonical codes of the languages of the table that this identifier does not cover."""
        return tuple(code for code, language in languages().items() if not self.covers(language))

    def strict(self, label: str | None, language: Language) -> bool:
        return is_strict(label, language)

    def lenient(self, label: str | None, language: Language) -> bool:
        return is_lenient(label, language)

    def language(self, label: str | None) -> str | None:
        return language_of_label(label)

    def unknown(self, label: str | None) -> bool:
        return is_unknown(label)


def _load(path: Path) -> Any:
    """The model in memory; a first prediction shows whether the installed package works at all."""
    try:
        import fasttext
    except ModuleNotFoundError:
        raise UnavailableError("fastText, which identifies languages, is not installed", "pip install 'lensbench[lid]'") from None
    except ImportError as error:
        raise UnavailableError(f"the installed fastText cannot be imported: {error}", _PACKAGES) from None
    try:
        model = fasttext.load_model(str(path))
        labels, probabilities = model.predict("language", k=1)
        [(str(label), float(probability)) for label, probability in zip(labels, probabilities, strict=True)]
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UnavailableError(f"the installed fastText cannot predict: {reason}", _PACKAGES) from None
    return model

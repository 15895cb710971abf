"""The name of one task in one language with one profile, and the name of its rows."""

from __future__ import annotations

from typing import NamedTuple

from lensbench.errors import DataError

__all__ = ["NotAKey", "RowsKey", "TaskKey"]

_LANGUAGE, _WANTED = "/", ">"


class NotAKey(DataError, ValueError):
    """A text of a file does not name a task and a language."""


class TaskKey(NamedTuple):
    """Task, language and profile of a number. Keys sort by task, then language, profile and wanted language.

    Printed as `TASK/LANGUAGE`, or as `TASK/LANGUAGE>WANTED` where answers are wanted in another language than the question's. The
    profile is not part of that text: a run asks a task in a language under one profile.
    """

    task: str
    language: str
    """Code of the asked language."""
    profile: str = ""
    """Name of the profile; "" if it is unknown or does not matter."""
    wanted: str = ""
    """Code of the language in which answers are wanted; "" if it is the language of the question."""

    def __str__(self) -> str:
        return f"{self.task}{_LANGUAGE}{self.language}" + (f"{_WANTED}{self.wanted}" if self.wanted else "")

    @classmethod
    def parse(cls, text: str, profile: str = "") -> TaskKey:
        """The key that is printed as this text.

        Args:
            profile: Its profile, which the text does not hold.

        Raises:
            NotAKey: the text names no task or no language.
        """
        task, _, language = text.rpartition(_LANGUAGE)
        asked, _, wanted = language.partition(_WANTED)
        if not task or not asked:
            raise NotAKey(
                f"{text!r:.80} is not TASK/LANGUAGE", "A file of the run folder, or of lm-eval, is damaged or of another kind."
            )
        return cls(task, asked, profile, wanted)

    @property
    def answered(self) -> str:
        """The language in which answers are wanted."""
        return self.wanted or self.language


class RowsKey(NamedTuple):
    """The rows from which a task was made. Printed as `KIND:NAME:DIGEST`."""

    kind: str
    """Kind of the source: hub, local, embedded, lm-eval."""
    name: str
    digest: str
    """Beginning of the digest of their content: equal digests are equal rows, wherever they came from."""

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}:{self.digest}"

    @classmethod
    def parse(cls, text: str) -> RowsKey:
        """The rows that are printed as this text. A text of another form, such as "lm-eval's own", is its own digest."""
        head, _, digest = text.rpartition(":")
        kind, _, name = head.partition(":")
        return cls(kind, name, digest)

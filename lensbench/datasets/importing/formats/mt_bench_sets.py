"""MT-Bench question sets as they are published: in which language, by whom, and which of several is taken."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lensbench.datasets.importing.model import Context, Original, Skip
from lensbench.languages import Language, language_named, languages

__all__ = ["SERVICENOW", "Edition", "QuestionSet", "chosen_sets", "language_in", "split_id"]

_ID = re.compile(r"([0-9]{1,9})(?:_([A-Z]{2}))?")
_PLAIN_FOLDERS = ("mt_bench", "mt-bench")
"""Where FastChat keeps the English set; the folders of translations say the language."""


@dataclass(frozen=True)
class Edition:
    """Who published a set, and on what terms."""

    name: str
    licence: str
    stand_in: str | None = None


MT_BENCH = Edition("MT-Bench", "Apache-2.0")
STABILITY = Edition(
    "Stability AI's Japanese MT-Bench", "Apache-2.0", "Stability AI's Japanese MT-Bench, not shi3z/MTbenchJapanese of the paper"
)
KOMT = Edition(
    "KoMT-Bench", "LGPL-3.0, its FastChat part Apache-2.0", "KoMT-Bench, not StudentLLM/Korean_MT-Bench_questions of the paper"
)
HUOZI = Edition("huozi's Chinese MT-Bench", "Apache-2.0")
SERVICENOW = Edition(
    "ServiceNow's translation (M2Lingual)",
    "Apache-2.0",
    "ServiceNow's translation of MT-Bench (M2Lingual), not a set of the paper",
)
MT_BENCH_X = Edition("MT-Bench-X", "Apache-2.0", "MT-Bench-X, not a set of the paper")
UNKNOWN = Edition("a set of unknown origin", "not known", "questions in the shape of MT-Bench, of unknown origin")

PREFERENCE = (MT_BENCH, STABILITY, KOMT, HUOZI, SERVICENOW, MT_BENCH_X, UNKNOWN)
"""The first that is there for a language is imported."""


@dataclass(frozen=True)
class QuestionSet:
    """A file of questions, and the file of reference answers that stands beside it."""

    questions: Original
    answers: Original | None
    language: Language
    edition: Edition

    @property
    def originals(self) -> tuple[Original, ...]:
        return (self.questions,) if self.answers is None else (self.questions, self.answers)

    def __str__(self) -> str:
        return " with ".join(original.name for original in self.originals)


def split_id(value: object) -> tuple[int, str] | None:
    """`"81_IT"` and `"81"` and `81` as number and language ("" where there is none); None for what is no question id."""
    match = _ID.fullmatch(str(value)) if isinstance(value, int | str) and not isinstance(value, bool) else None
    return (int(match[1]), match[2] or "") if match else None


def language_in(original: Original) -> Language | Skip:
    """The language of a question file: its key `lang`, the ending of its ids, its file's name, or its folder's, in that order."""
    record = original.first_object
    known = {language.name.lower(): language for language in languages().values()} | languages()
    # `jp` is what several releases call Japanese.
    known["jp"] = known["ja"]
    ending = (split_id(record["question_id"]) or (0, ""))[1]
    said = str(record.get("lang") or ending).lower()
    if said:
        return language_named(said) or Skip(f"MT-Bench questions, but language '{said}' is not in the language table")
    # "mt" and "bench" are no languages here, whatever the table will have.
    named = [word for part in (original.path.stem, original.folder) for word in re.split(r"[^a-z]+", part.lower())]
    found = next((known[word] for word in named if word in known and word not in ("mt", "bench")), None)
    if found is None and original.folder in _PLAIN_FOLDERS:
        return known["en"]
    return found or Skip("MT-Bench questions, but nothing says which language: name the folder by its code")


def _edition_of(original: Original, language: Language) -> Edition:
    record, file = original.first_object, original.path.name
    if "lang" in record:
        return SERVICENOW
    if (split_id(record["question_id"]) or (0, ""))[1]:
        return MT_BENCH_X
    if str(record["category"]).startswith("zh_"):
        return HUOZI
    by_name = {("ja", "question_full.jsonl"): STABILITY, ("ko", "question_ko.jsonl"): KOMT, ("en", "question.jsonl"): MT_BENCH}
    return by_name.get((language.code, file), UNKNOWN)


def chosen_sets(originals: Sequence[Original], context: Context) -> Iterator[QuestionSet]:
    """One set per language, with what is left out noted by name.

    A set the user prefers goes first, then the order of `PREFERENCE`, then `question.jsonl` before another file of its folder
    (MT-Bench-X keeps `question_original.jsonl` beside its corrected questions). Two that rank alike are both given: the import
    asks which.
    """
    folders: dict[Path, list[Original]] = {}
    for original in originals:
        if "choices" in original.first_object:
            folders.setdefault(original.path.absolute().parent, []).append(original)
    by_language: dict[str, list[QuestionSet]] = {}
    paired: set[str] = set()
    for original in originals:
        language = language_in(original) if "turns" in original.first_object else None
        if isinstance(language, Language):
            files = _answers_beside(original, folders)
            paired.update(file.name for file in files)
            answers = files[0] if files else None
            for file in files[1:]:
                context.note(f"{file.name}: left out, the reference answers are taken from {files[0].name}")
            found = QuestionSet(original, answers, language, _edition_of(original, language))
            by_language.setdefault(language.code, []).append(found)
    for original in (file for files in folders.values() for file in files if file.name not in paired):
        context.note(f"{original.name}: left out, no question file stands beside its folder")
    for sets in by_language.values():
        best = min(_rank(each, context) for each in sets)
        taken = [each for each in sets if _rank(each, context) == best]
        for each in sets:
            if each not in taken:
                words = f"{each.language.name} is taken from {taken[0].questions.name} ({taken[0].edition.name})"
                context.note(f"{each}: left out, {words}")
        yield from taken


def _rank(found: QuestionSet, context: Context) -> tuple[bool, int, bool]:
    plain = re.fullmatch(r"questions?(_[a-z]{2}|_full)?", found.questions.path.stem) is not None
    return not context.preferred([found.questions]), PREFERENCE.index(found.edition), not plain


def _answers_beside(questions: Original, folders: dict[Path, list[Original]]) -> list[Original]:
    """`question_ko.jsonl` goes with `reference_answer_ko/`, else `reference_answer/`; GPT-4's answers come first."""
    ending = questions.path.stem.removeprefix("question")
    for name in (f"reference_answer{ending}", "reference_answer"):
        files = folders.get(questions.path.absolute().parent / name, [])
        if files:
            return sorted(files, key=lambda file: (file.path.stem != "gpt-4", file.name))
    return []

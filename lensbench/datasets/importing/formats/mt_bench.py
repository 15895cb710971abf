"""MT-Bench questions and the reference answers that judges are given, in the shapes of FastChat and its translations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lensbench.datasets.importing.formats.mt_bench_rows import add_answers, listed, questions
from lensbench.datasets.importing.formats.mt_bench_sets import chosen_sets, language_in
from lensbench.datasets.importing.model import Context, Format, Original, Skip, Split
from lensbench.datasets.importing.reading import lines
from lensbench.datasets.rows import Row

__all__ = ["MT_BENCH"]

QUESTIONS = 80
REFERENCED = ("math", "reasoning", "coding")
"""Categories that MT-Bench judges beside a reference."""
REFERENCES = ("reference", "reference_answer")


def _recognise(original: Original) -> str | Skip | None:
    record = original.first_object
    if "choices" in record and original.folder.startswith("reference_answer"):
        return "mt_bench"
    if not {"question_id", "category", "turns"} <= record.keys():
        return None
    # Arena-Hard and its kin have objects in `turns`.
    if not isinstance(record["turns"], list) or not all(isinstance(turn, str) for turn in record["turns"]):
        return None
    language = language_in(original)
    # All sets are one group, because one is chosen where several have the same language.
    return language if isinstance(language, Skip) else "mt_bench"


def _convert(originals: Sequence[Original], context: Context) -> Iterator[Split]:
    for found in chosen_sets(originals, context):
        notes: list[str] = []
        rows: list[Row] = []
        seen = 0
        with found.questions.problems.whole(found.questions.name):
            rows = questions(found, notes)
            seen = sum(bool(line.strip()) for _, line in lines(found.questions))
        edition = found.edition
        licence = edition.licence
        if found.answers is not None:
            makers: tuple[str, ...] = ()
            with found.answers.problems.whole(found.answers.name):
                makers = add_answers(rows, found.answers, notes)
            licence += "".join(f"; reference answers by {name}, whose maker's terms apply" for name in makers)
        bare = [row["question_id"] for row in rows if row["category"] in REFERENCED and row.keys().isdisjoint(REFERENCES)]
        if bare:
            notes.append(f"no reference of either kind for {len(bare)} questions in {', '.join(REFERENCED)}: {listed(bare)}")
        yield Split(
            "mt_bench",
            found.language,
            "test",
            rows,
            found.originals,
            licence,
            edition.stand_in,
            tuple(notes),
            expected=QUESTIONS,
            seen=seen,
        )


MT_BENCH = Format("mt_bench", _recognise, _convert)

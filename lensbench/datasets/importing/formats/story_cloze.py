"""StoryCloze and its translations as XStoryCloze publishes them: tab-separated, CRLF, quotes are plain characters."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from lensbench.datasets.importing.model import Context, Format, Original, Skip, Split
from lensbench.datasets.importing.reading import Once, checked, checked_width, known_language, label, lines, named_columns
from lensbench.datasets.rows import Row
from lensbench.languages import language_of

__all__ = ["STORY_CLOZE"]

_NAME = re.compile(r"spring2016\.val\.([a-z]+)\.tsv\.split_20_80_(train|eval)\.tsv")
_COLUMNS = {
    "InputStoryid": "story_id",
    "InputSentence1": "input_sentence_1",
    "InputSentence2": "input_sentence_2",
    "InputSentence3": "input_sentence_3",
    "InputSentence4": "input_sentence_4",
    "RandomFifthSentenceQuiz1": "sentence_quiz1",
    "RandomFifthSentenceQuiz2": "sentence_quiz2",
}
_RELEASE = {"train": 360, "eval": 1511}
_LABEL = "AnswerRightEnding"
LICENCE = "CC BY-SA 4.0 as XStoryCloze declares; StoryCloze itself asks for a request form"


def _recognise(original: Original) -> str | Skip | None:
    match = _NAME.fullmatch(original.path.name)
    if match is None:
        if original.first_line.startswith("InputStoryid\t"):
            return Skip("StoryCloze, but not named spring2016.val.<language>.tsv.split_20_80_<train or eval>.tsv")
        return None
    if language_of("xstory_cloze", match[1]) is None:
        return Skip(f"language '{match[1]}' is not in the language table")
    return original.name


def _convert(originals: Sequence[Original], context: Context) -> Iterator[Split]:
    for original in originals:
        code, split = _NAME.sub(r"\1 \2", original.path.name).split()
        rows = []
        header: list[str] = []
        quoted = seen = 0
        once = Once("InputStoryid")
        for number, line in lines(original):
            where = f"{original}, line {number}"
            if not header:
                header = line.split("\t")
                named_columns(header, [*_COLUMNS, _LABEL], where)
                continue
            seen += 1
            with original.row(number):
                cells = dict(zip(header, checked_width(line.split("\t"), len(header), where), strict=True))
                row: Row = {ours: cells[theirs] for theirs, ours in _COLUMNS.items()}
                row["answer_right_ending"] = label(cells[_LABEL], {"1": 1, "2": 2}, where, _LABEL)
                once.check_row(row["story_id"], checked(row, "xstory_cloze", where), number, where)
                rows.append(row)
                quoted += '"' in line
        notes = (f"{quoted} rows have double quotes, which are part of the text",) if quoted else ()
        yield Split(
            "xstory_cloze",
            known_language("xstory_cloze", code),
            split,
            rows,
            (original,),
            LICENCE,
            notes=notes,
            expected=_RELEASE[split],
            seen=seen,
        )


STORY_CLOZE = Format("story_cloze", _recognise, _convert)

"""Damaged originals for `lensbench data import`: small valid files of every format, and seeded ways to spoil them.

`python tests/support/fuzz_import.py 3000` runs that many from the command line.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import random
import re
import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from lensbench.datasets.importing import ImportReport, import_folder

ROWS = 5
MARK = re.compile(r"mark[0-9]{4}x")
"""Every row of an original holds one of these, once or several times, and no other row does."""


def mark(number: int) -> str:
    return f"mark{number:04d}x"


def _lines(record: Callable[[int], dict]) -> bytes:
    return "".join(json.dumps(record(number), ensure_ascii=False) + "\n" for number in range(ROWS)).encode()


def _text(row: Callable[[int], str], header: str = "", end: str = "\n") -> bytes:
    return (header + "".join(row(number) + end for number in range(ROWS))).encode()


def _parquet(record: Callable[[int], dict]) -> bytes:
    import pyarrow
    import pyarrow.parquet

    stream = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist([record(number) for number in range(ROWS)]), stream)
    return stream.getvalue()


def _xwinograd(n: int) -> str:
    tokens = [mark(n), "saw", "it", "."]
    candidates = [["a", [0, 1], ["a"], True], ["b", [0, 1], ["b"], False]]
    cells = ("en", "s", "?", f"{mark(n)} saw it.", json.dumps(tokens), json.dumps(["it", [2, 3], ["it"]]), json.dumps(candidates))
    return "\t".join(cells)


def _copa(n: int) -> str:
    words = f"<p>{mark(n)} fell.</p><a1>One.</a1><a2>Two.</a2>"
    return f'<item id="{501 + n}" asks-for="cause" most-plausible-alternative="1">{words}</item>'


def _cluewsc(n: int, name: str, right: bool) -> dict:
    text = f"{mark(n)}甲和乙说他来了"
    target = {"span1_text": name, "span1_index": text.index(name), "span2_text": "他", "span2_index": text.index("他")}
    return {"target": target, "idx": n, "label": str(right).lower(), "text": text}


def _exams(n: int) -> dict:
    choices = [{"text": f"{letter}.", "label": letter} for letter in "ABCD"]
    question = {"stem": f"{mark(n)}?", "choices": choices}
    return {"id": f"q{n}", "question": question, "answerKey": "A", "info": {"grade": 1, "subject": "x", "language": "Arabic"}}


def _lens_pull() -> bytes:
    instances = [{"input_en": f"{mark(n)} en", "input_zh": f"{mark(n)} 中", "output": ""} for n in range(ROWS)]
    return json.dumps({"Definition": "", "Positive Examples": [], "Instances": instances}, ensure_ascii=False).encode()


def _bactrian(n: int) -> dict:
    return {"instruction": f"{mark(n)} do", "input": "", "id": f"alpaca-{n}", "output": "done"}


def _xcopa(n: int) -> dict:
    texts = {"premise": f"{mark(n)} 前提", "choice1": "一", "choice2": "二"}
    return texts | {"question": "cause", "label": 0, "idx": n, "changed": False}


def _aya(n: int) -> dict:
    code, name = (("eng", "English"), ("zho", "Chinese"))[n % 2]
    return {"inputs": f"{mark(n)} in", "targets": "out", "language": name, "language_code": code}


def _story(n: int) -> str:
    return "\t".join((f"id{n}", f"{mark(n)} one.", "Two.", "Three.", "Four.", "Good.", "Bad.", "1"))


_STORY_HEADER = (
    "InputStoryid\tInputSentence1\tInputSentence2\tInputSentence3\tInputSentence4\tRandomFifthSentenceQuiz1\t"
    "RandomFifthSentenceQuiz2\tAnswerRightEnding\r\n"
)


def originals() -> dict[str, bytes]:
    """Path -> content of a small valid file of every format."""
    return {
        "copa-test.xml": b'<?xml version="1.0"?>\n<copa-corpus>\n' + _text(_copa) + b"</copa-corpus>\n",
        "test.zh.jsonl": _lines(_xcopa),
        "dataset.tsv": _text(_xwinograd),
        "cluewsc/test_public.json": b"".join(
            json.dumps(_cluewsc(n, name, right), ensure_ascii=False).encode() + b"\n"
            for n in range(ROWS)
            for name, right in (("甲", True), ("乙", False))
        ),
        "spring2016.val.en.tsv.split_20_80_eval.tsv": _text(_story, _STORY_HEADER, "\r\n"),
        "mmlu_en/test/anatomy_test.csv": _text(
            lambda n: f'"{mark(n)}, what?",a,b,c,d,{n % 4}', "question,choice0,choice1,choice2,choice3,answer\n"
        ),
        "mmlu_ar/test/anatomy_test.csv": _text(lambda n: f"{mark(n)} ما؟,ا,ب,ج,د,A"),
        "jmmlu/anatomy.csv": b"\xef\xbb\xbf" + _text(lambda n: f'"{mark(n)} これ",あ,い,う,え,B'),
        "cmmlu/test/anatomy.csv": _text(lambda n: f"{n},{mark(n)}?,一,二,三,四,C", ",Question,A,B,C,D,Answer\n"),
        "exams/test.jsonl": _lines(_exams),
        "en/question.jsonl": _lines(lambda n: {"question_id": 81 + n, "category": "writing", "turns": [f"{mark(n)}?", "And?"]}),
        "questions_Arabic.jsonl": _lines(lambda n: {"question_id": n + 1, "text": f"{mark(n)}?", "category": "generic"}),
        "MultiQ.csv": _text(lambda n: f'{n},en,"{mark(n)}, how?",bio', "id,language,prompt,domain\n"),
        "newstest2019-src.eng.txt": _text(lambda n: f"{mark(n)} sentence."),
        "mgsm_en.tsv": _text(lambda n: f"{mark(n)} how many?\t{n + 10}"),
        "aya_en_zh_300/test.jsonl": _lines(lambda n: {"en": f"{mark(n)} en", "zh": f"{mark(n)} 中"}),
        "pull/train.json": _lens_pull(),
        "aya.jsonl": _lines(_aya),
        "alpaca_en_demo.json": json.dumps([{k: v for k, v in _bactrian(n).items() if k != "id"} for n in range(ROWS)]).encode(),
        "zh.jsonl": _lines(_bactrian),
        "data/zh.json.gz": gzip.compress(_lines(_bactrian), mtime=0),
        "bactrian/zh/train/0000.parquet": _parquet(_bactrian),
        "aya/data/train-00000-of-00001.parquet": _parquet(_aya),
        "xcopa/zh/test/0000.parquet": _parquet(_xcopa),
    }


HTML = b"<!DOCTYPE html>\n<html><head><title>404</title></head><body>Not here</body></html>\n"
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12345\n"


def _cut(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(len(content))]


def _cut_at_line(content: bytes, rng: random.Random) -> bytes:
    lines = content.splitlines(keepends=True)
    return b"".join(lines[: rng.randrange(len(lines))])


def _swapped(content: bytes, rng: random.Random) -> bytes:
    separator = b"\t" if b"\t" in content else b","
    return b"\n".join(separator.join(reversed(line.split(separator))) for line in content.split(b"\n"))


def _nested(content: bytes, rng: random.Random) -> bytes:
    lines = content.split(b"\n")
    place = rng.randrange(len(lines))
    return b"\n".join([*lines[:place], b'{"a":' * 50_000 + b"1" + b"}" * 50_000, *lines[place:]])


def _flipped(content: bytes, rng: random.Random) -> bytes:
    spoiled = bytearray(content)
    for _ in range(rng.randint(1, 4)):
        place = rng.randrange(len(spoiled))
        # A line end that becomes a letter leaves one longer sentence, which only the known length of the release gives away.
        if spoiled[place] not in b"\r\n":
            spoiled[place] = rng.randrange(256)
    return bytes(spoiled)


def _inserted(what: bytes) -> Callable[[bytes, random.Random], bytes]:
    def insert(content: bytes, rng: random.Random) -> bytes:
        place = rng.randrange(len(content))
        return content[:place] + what + content[place:]

    return insert


def _without_a_line(content: bytes, rng: random.Random) -> bytes:
    lines = content.splitlines(keepends=True)
    del lines[rng.randrange(len(lines))]
    return b"".join(lines)


def _wide(content: bytes, rng: random.Random) -> bytes:
    return content.decode("utf-8", "replace").encode(rng.choice(["utf-16", "utf-16-le", "utf-16-be", "utf-32"]))


MUTATIONS: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "cut": _cut,
    "cut at a line": _cut_at_line,
    "twice": lambda content, rng: content + content,
    "twice, cut": lambda content, rng: content + _cut_at_line(content, rng),
    "carriage returns alone": lambda content, rng: content.replace(b"\r\n", b"\n").replace(b"\n", b"\r"),
    "some carriage returns": lambda content, rng: content.replace(b"\n", b"\r", rng.randint(1, 3)),
    "CRLF": lambda content, rng: content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"),
    "byte-order mark": lambda content, rng: b"\xef\xbb\xbf" + content,
    "wide": _wide,
    "NUL": _inserted(b"\x00"),
    "many NULs": _inserted(b"\x00" * 500),
    "long line": _inserted(b"x" * 200_000),
    "long first line": lambda content, rng: b"y" * 200_000 + content,
    "quote": _inserted(b'"'),
    "tab": _inserted(b"\t"),
    "line break": _inserted(b"\n"),
    "not UTF-8": _inserted(b"\xff"),
    "surrogate": _inserted(b"\\ud800"),
    "huge number": _inserted(b"9" * 5000),
    "swapped columns": _swapped,
    "pointer": lambda content, rng: POINTER,
    "HTML": lambda content, rng: HTML,
    "gzip": lambda content, rng: gzip.compress(content, mtime=0),
    "nested": _nested,
    "empty": lambda content, rng: b"",
    "blank": lambda content, rng: b"\n \n",
    "flipped bytes": _flipped,
    "a line gone": _without_a_line,
    "error message": lambda content, rng: b"404: Not Found",
}


def inputs(count: int, seed: int = 0) -> Iterator[tuple[str, str, bytes]]:
    """(name of the file, what was done, content): every pair of file and way comes as often as any other."""
    rng = random.Random(seed)
    files = originals()
    pairs = [(name, how) for name in files for how in MUTATIONS]
    rng.shuffle(pairs)
    for number in range(count):
        name, how = pairs[number % len(pairs)]
        yield name, how, MUTATIONS[how](files[name], rng)


def faults(name: str, how: str, content: bytes, folder: Path) -> list[str]:
    """What an import does wrong with one input; nothing where it behaves. An exception of another kind passes through."""
    source, target = folder / "in", folder / "out"
    path = source / name
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    before = _files(folder)
    report = import_folder(source, target)
    found = [f"wrote {extra}" for extra in sorted(_files(folder) - before) if not extra.startswith("out/")]
    found += [f"left {extra} behind" for extra in _files(folder) if ".tmp" in extra or ".importing" in extra]
    json.dumps(report.as_dict(), allow_nan=False).encode()
    marks = set(MARK.findall(_readable(content)))
    read = _read(target, report)
    found += [f"two rows became one: {row[:80]!r}" for row in read if len(set(MARK.findall(row))) > 1]
    lost = marks - {each for row in read for each in MARK.findall(row)}
    if len(lost) > _accounted(name, report):
        found.append(f"{len(lost)} rows lost, {_accounted(name, report)} accounted for")
    return found


def _accounted(name: str, report: ImportReport) -> float:
    """How many rows the report says are left out: all of them where it says so of the file."""
    if any(problem.path == name and problem.line is None for problem in report.problems):
        return float("inf")
    if any(skipped.path == name for skipped in report.skipped):
        return float("inf")
    rows = len({problem.line for problem in report.problems if problem.path == name})
    notes = [note for file in report.files for note in file.notes] + list(report.notes)
    return rows + sum(
        int(n) for note in notes if "left out" in note for n in re.findall(r"\b(\d+) (?:rows|candidates|pronouns)", note)
    )


def _readable(content: bytes) -> str:
    with contextlib.suppress(OSError, EOFError, zlib.error):
        content = gzip.decompress(content)
    return content.replace(b"\x00", b"").decode("utf-8", "replace")


def _read(target: Path, report: ImportReport) -> list[str]:
    import pyarrow.parquet

    return [
        json.dumps(row, ensure_ascii=False, default=str)
        for file in report.files
        for row in pyarrow.parquet.read_table(target / file.path).to_pylist()
    ]


def _files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


if __name__ == "__main__":
    import sys
    import traceback

    bad = 0
    for number, (name, how, content) in enumerate(inputs(int(sys.argv[1]), int((sys.argv[2:] or ["0"])[0]))):
        with tempfile.TemporaryDirectory() as folder:
            try:
                found = faults(name, how, content, Path(folder))
            except Exception:
                found = [traceback.format_exc()]
        if found:
            bad += 1
            print(number, name, "|", how, "|", *found)
    print(f"{bad} bad")

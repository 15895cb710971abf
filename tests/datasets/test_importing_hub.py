"""Importing the hub's own files as they lie: packed JSON, parquet of its conversion branch and of `data/`, CSV."""

from __future__ import annotations

import datetime
import decimal
import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from importing_help import entry, jsonl, mmlu_row, read, write, xcopa_row

from lensbench.datasets.importing import import_folder
from lensbench.datasets.rows import load_rows_spec
from lensbench.datasets.sources import Folder
from lensbench.languages import get_language


def parquet(path: Path, rows: list[dict[str, Any]], **columns: Any) -> Path:
    """Rows as parquet, with further columns of any type."""
    import pyarrow
    import pyarrow.parquet

    path.parent.mkdir(parents=True, exist_ok=True)
    table = pyarrow.Table.from_pylist(rows)
    for name, values in columns.items():
        table = table.append_column(name, values)
    pyarrow.parquet.write_table(table, path)
    return path


def bactrian(number: int) -> dict[str, str]:
    return {"instruction": f"Do {number}", "input": "", "id": f"alpaca-{number}", "output": "Done"}


@pytest.mark.parametrize("shape", ["lines", "list"])
def test_bactrian_packed(tmp_path, shape):
    rows = [bactrian(number) for number in range(3)]
    text = jsonl(*rows) if shape == "lines" else json.dumps(rows, indent=2)
    write(tmp_path / "in/data/zh.json.gz", gzip.compress(text.encode()))
    report = import_folder(tmp_path / "in", tmp_path / "out")
    assert (report.problems, report.skipped) == ((), ())
    assert read(tmp_path / "out/bactrian_x/zh/train.parquet") == rows
    assert report.files[0].warnings == ("3 rows, the whole release has 67017: a part of it, or a file was cut",)


def test_a_packed_file_that_was_cut(tmp_path):
    packed = gzip.compress(jsonl(*(bactrian(number) for number in range(5000))).encode())
    write(tmp_path / "in/data/zh.json.gz", packed[: len(packed) // 2])
    report = import_folder(tmp_path / "in", tmp_path / "out")
    assert report.files == ()
    assert "not a whole gzip file" in report.problems[0].message


LAYOUTS = ["{config}/{split}/0000.parquet", "{config}/{split}-00000-of-00001.parquet", "data/{config}/{split}.parquet"]
SETS = [
    ("xcopa", "zh", "zh", "test", xcopa_row(3)),
    ("xcopa", "zh", "zh", "validation", xcopa_row(3)),
    ("xwinograd", "ja", "jp", "test", {"sentence": "_ は", "option1": "a", "option2": "b", "answer": "1"}),
    (
        "xstory_cloze",
        "sw",
        "sw",
        "eval",
        {
            "story_id": "s",
            **{f"input_sentence_{n}": "x." for n in range(1, 5)},
            "sentence_quiz1": "a",
            "sentence_quiz2": "b",
            "answer_right_ending": 2,
        },
    ),
    ("m_mmlu", "ar", "ar", "val", mmlu_row("x/1", "Q?", "a|b|c|d", "C")),
    ("mmmlu", "pt", "PT_BR", "test", {"Question": "Q?", "A": "a", "B": "b", "C": "c", "D": "None", "Answer": "D"}),
    ("bactrian_x", "zh", "zh", "train", bactrian(1)),
]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("rows", "code", "config", "split", "row"), SETS, ids=[f"{each[0]}-{each[3]}" for each in SETS])
def test_parquet_of_the_hub(tmp_path, layout, rows, code, config, split, row):
    parquet(tmp_path / "in" / layout.format(config=config, split=split), [row])
    report = import_folder(tmp_path / "in", tmp_path / "out")
    assert report.problems == ()
    (file,) = report.files
    assert (file.path, file.stand_in) == (f"{rows}/{config}/{split}.parquet", None)
    assert read(tmp_path / "out" / file.path) == [row]
    assert len(Folder(tmp_path / "out").load(load_rows_spec(rows), get_language(code), split)) == 1


def test_columns_that_are_not_wanted_may_be_of_any_type(tmp_path):
    import pyarrow

    parquet(
        tmp_path / "in/zh/test/0000.parquet",
        [xcopa_row(0)],
        day=pyarrow.array([datetime.date(9999, 12, 31)]),
        price=pyarrow.array([decimal.Decimal("1.50")]),
        pairs=pyarrow.array([[("a", 1)]], pyarrow.map_(pyarrow.string(), pyarrow.int64())),
        moment=pyarrow.array([2**60], pyarrow.timestamp("us")),
    )
    report = import_folder(tmp_path / "in", tmp_path / "out")
    assert (report.problems, len(report.files)) == ((), 1)


def test_a_wanted_column_of_another_type_is_a_problem_of_its_rows(tmp_path):
    row = xcopa_row(0)
    parquet(tmp_path / "in/zh/test/0000.parquet", [row | {"label": datetime.date(2020, 1, 1)}])
    report = import_folder(tmp_path / "in", tmp_path / "out")
    assert "0000.parquet, row 1, column 'label': expected int, found date" in report.problems[0].message


def test_aya_is_shared_out_by_its_language_column(tmp_path):
    codes = ["eng", "zho", "swh", "swa", "xxx", "eng"]
    rows = [{"inputs": f"in {n}", "targets": "t", "language": "x", "language_code": code} for n, code in enumerate(codes)]
    extra = [row | {"annotation_type": "original-annotations", "user_id": "u"} for row in rows]
    parquet(tmp_path / "in/aya_dataset/data/train-00000-of-00001.parquet", extra)
    parquet(tmp_path / "in/aya_dataset/data/test-00000-of-00001.parquet", extra)
    report = import_folder(tmp_path / "in", tmp_path / "out")
    counts = {file.path: file.n for file in report.files}
    assert counts == {"aya/eng/train.parquet": 2, "aya/zho/train.parquet": 1, "aya/swa/train.parquet": 2}
    assert "1 rows left out, in 1 codes the language table does not have" in report.notes[0]
    assert "split test: the row definition has train" in report.skipped[0].reason


def test_parts_of_one_split_are_put_together_in_order(tmp_path):
    for part in range(2):
        parquet(tmp_path / f"in/zh/test-0000{part}-of-00003.parquet", [xcopa_row(part)])
    report = import_folder(tmp_path / "in", tmp_path / "out")
    assert [row["idx"] for row in read(tmp_path / "out/xcopa/zh/test.parquet")] == [0, 1]
    assert "1 of 3 parts are not here: 2" in report.files[0].warnings


def test_mt_bench_prompts_with_numbers_as_ids(tmp_path):
    row = {"prompt": ["One?", "Two?"], "reference": [], "category": "math", "prompt_id": 97337237}
    parquet(tmp_path / "in/mt_bench_prompts/data/train-00000-of-00001.parquet", [row])
    report = import_folder(tmp_path / "in", tmp_path / "out")
    assert (report.problems, [file.path for file in report.files]) == ((), ["mt_bench_prompts/en/test.parquet"])


def test_sets_with_the_same_columns_are_told_apart_by_their_folder(tmp_path):
    row = {"category": "math", "turns": ["One?", "Two?"]}
    parquet(tmp_path / "in/datasets--shi3z--MTbenchJapanese/data/train-00000-of-00001.parquet", [row])
    parquet(tmp_path / "in/other/data/train-00000-of-00001.parquet", [row])
    report = import_folder(tmp_path / "in", tmp_path / "out")
    assert [file.path for file in report.files] == ["mt_bench_japanese/ja/test.parquet"]
    assert "columns of several sets" in report.skipped[0].reason


def test_mmmlu_and_kmmlu_as_csv(tmp_path):
    write(tmp_path / "in/MMMLU/test/mmlu_PT-BR.csv", ",Question,A,B,C,D,Answer,Subject\n0,Q?,a,b,c,None,D,anatomy\n")
    for subject in ("Accounting", "Biology"):
        text = f"question,answer,A,B,C,D,Category,Human Accuracy\n{subject}?,4,a,b,c,NA,x,0.5\n"
        write(tmp_path / f"in/KMMLU/data/{subject}-test.csv", text)
    report = import_folder(tmp_path / "in", tmp_path / "out")
    assert (report.problems, report.skipped) == ((), ())
    # The option "None" is an option, and "NA" another.
    assert read(tmp_path / "out/mmmlu/PT_BR/test.parquet")[0]["D"] == "None"
    assert [(row["question"], row["D"], row["answer"]) for row in read(tmp_path / "out/kmmlu/ko/test.parquet")] == [
        ("Accounting?", "NA", 4),
        ("Biology?", "NA", 4),
    ]


def test_translations_into_english_are_not_taken_for_xcopa(tmp_path):
    parquet(tmp_path / "in/translation-zh/test/0000.parquet", [xcopa_row(0)])
    report = import_folder(tmp_path / "in", tmp_path / "out")
    assert report.files == ()
    assert "nothing in the path is a language code" in report.skipped[0].reason


def test_story_cloze_of_the_hub(tmp_path):
    names = ["InputStoryid", *(f"InputSentence{n}" for n in range(1, 5)), "RandomFifthSentenceQuiz1", "RandomFifthSentenceQuiz2"]
    header = "\t".join([*names, "AnswerRightEnding"])
    for part in ("train", "eval"):
        row = "\t".join(["id", *"1234", "good", "bad", "1"])
        write(tmp_path / f"in/spring2016.val.sw.tsv.split_20_80_{part}.tsv", f"{header}\r\n{row}\r\n")
    report = import_folder(tmp_path / "in", tmp_path / "out")
    assert [file.path for file in report.files] == ["xstory_cloze/sw/eval.parquet", "xstory_cloze/sw/train.parquet"]


def test_a_damaged_parquet_file_stops_nothing(tmp_path):
    write(tmp_path / "in/zh/test/0000.parquet", b"PAR1 and nothing else")
    write(tmp_path / "in/it/test/0000.parquet", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n")
    parquet(tmp_path / "in/th/test/0000.parquet", [xcopa_row(0)])
    report = import_folder(tmp_path / "in", tmp_path / "out")
    assert [file.path for file in report.files] == ["xcopa/th/test.parquet"]
    assert entry(report, "xcopa/th/test.parquet").n == 1
    assert ["a git-lfs pointer" in problem.message for problem in report.problems] == [True, False]

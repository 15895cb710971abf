"""Importing goes on after a problem: what is left out, what is said of it, and what is never read as data."""

from __future__ import annotations

import gzip
import json
import os

import pytest
from importing_help import COPA_XML, entry, jsonl, read, write, xcopa_row

from lensbench.content import content_dir
from lensbench.datasets.importing import import_folder

EXAM = {"id": "q1", "info": {"grade": 1, "subject": "x", "language": "Arabic"}}


def exam(id: str, answer: str, letters: str = "ABCD") -> dict:
    choices = [{"text": f"{letter}.", "label": letter} for letter in letters]
    return EXAM | {"id": id, "question": {"stem": f"{id}?", "choices": choices}, "answerKey": answer}


def test_a_wrong_row_is_left_out_and_everything_else_imported(tmp_path, cli):
    write(
        tmp_path / "in/exams/test.jsonl",
        jsonl(exam("q1", "A"), exam("q2", "@"), exam("q3", "A", "ABC"), exam("q4", "D"), exam("q5", "@", "ABC")),
    )
    write(tmp_path / "in/mgsm_en.tsv", "How many?\t1\nMany?\tx\nFew?\t3\n")
    write(tmp_path / "in/test.zh.jsonl", jsonl(xcopa_row(0)))
    done = cli("data", "import", tmp_path / "in", "--to", tmp_path / "out", "--json")
    report = json.loads(done.stdout)
    assert done.returncode == 1
    assert [(each["path"], each["line"], each["column"]) for each in report["problems"]] == [
        ("exams/test.jsonl", 2, "answerKey"),
        ("exams/test.jsonl", 5, "answerKey"),
        ("mgsm_en.tsv", 2, "answer"),
    ]
    files = {each["path"]: each for each in report["files"]}
    assert files["m_mmlu/ar/exams.parquet"]["notes"] == ["1 rows with 3 choices left out"]
    assert files["m_mmlu/ar/exams.parquet"]["left_out"] == ["2 wrong rows of exams/test.jsonl left out (line 2, 5)"]
    assert files["xcopa/zh/test.parquet"]["n"] == 1
    # Rows after the wrong one keep the number of their line, by which languages are aligned.
    assert [row["id"] for row in read(tmp_path / "out/mgsm/en/test.parquet")] == ["1", "3"]
    manifest = json.loads((tmp_path / "out/manifest.json").read_text())
    assert [each.get("left_out") for each in manifest["files"]] == [
        ["2 wrong rows of exams/test.jsonl left out (line 2, 5)"],
        ["1 wrong rows of mgsm_en.tsv left out (line 2)"],
        None,
    ]


def test_the_terminal_shows_problems_notes_and_warnings(tmp_path, cli):
    write(tmp_path / "in/mgsm_en.tsv", "How many?\t1\nMany?\tx\n")
    write(tmp_path / "in/MultiQ.csv", "id,language,prompt,domain\n1,en,How?,x\n1,xx,How?,x\n2,xx,Why?,x\n")
    done = cli("data", "import", tmp_path / "in", "--to", tmp_path / "out")
    assert done.returncode == 1
    assert "mgsm_en.tsv, line 2, column 'answer': expected a whole number, found 'x'" in done.stderr
    assert "note: MultiQ.csv: 2 rows left out, in 1 codes the language table does not have" in done.stdout
    assert "! 1 rows, the whole release has 200" in done.stdout
    assert "! 1 wrong rows of mgsm_en.tsv left out (line 2)" in done.stdout
    strict = cli("data", "import", tmp_path / "in", "--to", tmp_path / "strict", "--strict")
    assert (strict.returncode, "Traceback" in strict.stderr) == (2, False)
    assert "mgsm_en.tsv, line 2" in strict.stderr


def test_a_good_import_ends_with_0_and_an_empty_one_with_1(tmp_path, cli):
    write(tmp_path / "in/test.zh.jsonl", jsonl(xcopa_row(0)))
    write(tmp_path / "nothing/README.md", "# hello")
    assert cli("data", "import", tmp_path / "in", "--to", tmp_path / "out").returncode == 0
    done = cli("data", "import", tmp_path / "nothing", "--to", tmp_path / "out")
    assert (done.returncode, "nothing was imported" in done.stderr) == (1, True)


def test_a_split_of_a_stand_in_is_told_how_to_be_asked(tmp_path, cli):
    write(tmp_path / "in/exams/test.jsonl", jsonl(exam("q1", "A")))
    done = cli("data", "import", tmp_path / "in", "--to", tmp_path / "out")
    assert "the split 'exams' of m_mmlu is asked with --tasks exams" in " ".join(done.stdout.split())
    write(tmp_path / "more/exams/train.jsonl", jsonl(exam("q2", "A")))
    done = cli("data", "import", tmp_path / "more", "--to", tmp_path / "out2")
    said = " ".join(done.stdout.split())
    assert "no shipped task asks the split 'exams_train' of m_mmlu" in said and "`test_split: exams_train`" in said


def test_a_stand_in_can_be_asked_as_the_hint_says(tmp_path, cli, tiny_model_dir):
    write(tmp_path / "in/exams/test.jsonl", jsonl(*(exam(f"q{n}", "ABCD"[n % 4]) for n in range(4))))
    assert cli("data", "import", tmp_path / "in", "--to", tmp_path / "out").returncode == 0
    shipped = (content_dir("tasks") / "m_mmlu.lens-paper.yaml").read_text(encoding="utf-8")
    write(tmp_path / "tasks/m_mmlu.lens-paper.yaml", shipped.replace("test_split: test", "test_split: exams"))
    done = cli(
        "run",
        "--backbone",
        tiny_model_dir,
        "--tasks",
        "m_mmlu",
        "--languages",
        "ar",
        "--include-path",
        tmp_path / "tasks",
        "--data",
        tmp_path / "out",
        "--device",
        "cpu",
        "--out",
        tmp_path / "run",
    )
    assert done.returncode == 0, done.stderr
    assert "rows are EXAMS: school exams, not a translation of MMLU" in done.stdout


NAMED = "newstest2019-src.eng.txt"
SENTENCES = "One.\nTwo.\nThree.\nFour.\n"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", "a git-lfs pointer"),
        (b"../.git/annex/objects/aa/bb/SHA256E-s12--00.txt/SHA256E-s12--00.txt\n", "a git-annex pointer"),
        (b"<!DOCTYPE html><html><body>Sign in</body></html>", "an HTML page"),
        (b"\n\n  <HTML lang='en'>\n<p>Not found\n", "an HTML page"),
        (b"404: Not Found", "error message of a server"),
        (b"Entry not found", "error message of a server"),
        (b'<?xml version="1.0"?>\n<Error><Code>NoSuchKey</Code></Error>\n', "error message of a server"),
        (gzip.compress(SENTENCES.encode(), mtime=0), "a gzip file under a name that does not say so"),
        (b"PK\x03\x04rest of it", "a zip file"),
        (b"PAR1rest of it", "a parquet file"),
        (SENTENCES.encode("utf-16"), "UTF-16, not UTF-8"),
        (SENTENCES.encode("utf-16-le"), "UTF-16 without a byte-order mark"),
        (SENTENCES.replace("\n", "\r").encode(), "carriage return alone"),
        (b"One.\nTwo.\rThree.\nFour.\n", "line 2: a carriage return alone"),
        (b"", "the file is empty"),
        ("Größe\n".encode("latin-1"), "line 1: not UTF-8"),
    ],
)
def test_what_is_no_data_is_refused_with_the_reason(tmp_path, content, words):
    write(tmp_path / "in" / NAMED, content)
    write(tmp_path / "in/newstest2019-ref.jpn.txt", "一\n二\n")
    report = import_folder(tmp_path / "in", tmp_path / "out")
    assert [file.path for file in report.files] == ["ntrex/jpn/test.parquet"]
    (problem,) = report.problems
    assert (problem.path, problem.line) == (NAMED, None)
    assert words in problem.message


def test_a_pointer_is_refused_under_a_name_that_only_content_would_tell(tmp_path):
    write(tmp_path / "in/zh.jsonl", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n")
    write(tmp_path / "in/model.bin", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n")
    report = import_folder(tmp_path / "in", tmp_path / "out")
    assert [problem.path for problem in report.problems] == ["zh.jsonl"]
    assert [skip.path for skip in report.skipped] == ["model.bin"]


def _twice() -> dict[str, bytes]:
    from fuzz_import import originals

    # The bytes of a packed file or a JSON document twice over are no file of its kind.
    return {
        name: content for name, content in originals().items() if not name.endswith((".parquet", ".xml", ".gz", "train.json"))
    }


@pytest.mark.parametrize("name", sorted(_twice()))
def test_a_file_with_itself_behind_it_is_noticed(tmp_path, name):
    content = _twice()[name]
    write(tmp_path / "once" / name, content)
    write(tmp_path / "in" / name, content + content)
    once = import_folder(tmp_path / "once", tmp_path / "a")
    report = import_folder(tmp_path / "in", tmp_path / "b")
    assert report.problems
    # Where ids give the repeated rows away they alone are left out; else the file is refused.
    assert {file.sha256 for file in report.files} <= {file.sha256 for file in once.files}


@pytest.mark.parametrize("name", ["mgsm_en.tsv", NAMED, "test.zh.jsonl", "MultiQ.csv", "questions_Arabic.jsonl", "copa-test.xml"])
def test_a_file_that_is_shorter_than_the_release_is_marked(tmp_path, name):
    from fuzz_import import originals

    write(tmp_path / "in" / name, originals()[name])
    (file,) = import_folder(tmp_path / "in", tmp_path / "out").files
    assert file.warnings[0].startswith("5 rows, the whole release has ")


@pytest.mark.parametrize(("last", "warned"), [("Many?\t12", True), ("Many?\t125\n", False)])
def test_a_last_line_without_its_end_is_marked(tmp_path, last, warned):
    write(tmp_path / "in/mgsm_en.tsv", "How many?\t1\n" + last)
    (file,) = import_folder(tmp_path / "in", tmp_path / "out").files
    assert any("last line has no end" in words for words in file.warnings) == warned


def test_languages_out_of_step_are_marked(tmp_path):
    write(tmp_path / "in" / NAMED, "One.\nTwo.\nThree.\n")
    write(tmp_path / "in/newstest2019-ref.jpn.txt", "一\n二\n")
    report = import_folder(tmp_path / "in", tmp_path / "out")
    assert report.warnings == ("ntrex, split test: languages differ in their items: of 3 that some language has, ja 2",)


def test_a_repeated_row_is_left_out_and_another_row_of_its_id_is_marked(tmp_path):
    write(tmp_path / "in/test.zh.jsonl", jsonl(xcopa_row(0), xcopa_row(1), xcopa_row(0, "effect"), xcopa_row(0)))
    report = import_folder(tmp_path / "in", tmp_path / "out")
    (problem,) = report.problems
    assert "line 4, column 'idx': the row of 0 stands in line 1 too" in problem.message
    assert read(tmp_path / "out/xcopa/zh/test.parquet") == [xcopa_row(0), xcopa_row(1), xcopa_row(0, "effect")]
    assert "1 rows have an id that an earlier row of another text has" in report.files[0].warnings


def test_an_unreadable_or_strange_entry_stops_nothing(tmp_path):
    write(tmp_path / "in/mgsm_en.tsv", "How many?\t1\n")
    write(tmp_path / "in/deep/mgsm_sw.tsv", "Ngapi?\t1\n")
    os.mkfifo(tmp_path / "in/pipe.jsonl")
    (tmp_path / "in/nowhere.csv").symlink_to(tmp_path / "not there")
    (tmp_path / "in/itself.csv").symlink_to(tmp_path / "in/itself.csv")
    (tmp_path / "in/loop").symlink_to(tmp_path / "in")
    (tmp_path / "in/mgsm_zh.tsv").symlink_to(tmp_path / "elsewhere.tsv")
    write(tmp_path / "elsewhere.tsv", "多少？\t1\n")
    write(tmp_path / "in/long.csv", "x" * 200_000 + "\n")
    write(tmp_path / "in/deep.json", '{"a":' * 100_000)
    write(tmp_path / "in" / os.fsdecode(b"na\xffme.txt"), "x")
    report = import_folder(tmp_path / "in", tmp_path / "out")
    assert [file.path for file in report.files] == [f"mgsm/{code}/test.parquet" for code in ("sw", "en", "zh")]
    reasons = {skip.path: skip.reason for skip in report.skipped}
    assert "a pipe" in reasons["pipe.jsonl"]
    assert "leads nowhere" in reasons["nowhere.csv"] and "leads nowhere" in reasons["itself.csv"]
    assert "not followed" in reasons["loop"]
    assert report.problems == ()
    json.dumps(report.as_dict()).encode()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_a_problem_of_its_own(tmp_path):
    write(tmp_path / "in/mgsm_en.tsv", "How many?\t1\n")
    write(tmp_path / "in/mgsm_zh.tsv", "How many?\t1\n").chmod(0)
    report = import_folder(tmp_path / "in", tmp_path / "out")
    assert ("could not be read" in report.problems[0].message, len(report.files)) == (True, 1)


def test_names_of_files_do_not_lead_out_of_the_target(tmp_path):
    # The split of an EXAMS file is made of the file's name.
    write(tmp_path / "in/exams/train..\x1b[31m.jsonl", jsonl(exam("q1", "A")))
    (tmp_path / "out/mgsm").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out/mgsm/en").symlink_to(tmp_path / "elsewhere")
    write(tmp_path / "in/mgsm_en.tsv", "How many?\t1\n")
    report = import_folder(tmp_path / "in", tmp_path / "out")
    assert report.files == ()
    assert sorted(problem.path for problem in report.problems) == ["exams/train..\x1b[31m.jsonl", "mgsm/en/test.parquet"]
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_english_copa_with_a_problem_of_its_own_does_not_stop_xcopa(tmp_path):
    write(tmp_path / "in/copa-test.xml", COPA_XML.replace("</copa-corpus>", ""))
    write(tmp_path / "in/test.zh.jsonl", jsonl(xcopa_row(0)))
    report = import_folder(tmp_path / "in", tmp_path / "out")
    assert entry(report, "xcopa/zh/test.parquet").notes[0].endswith("has a problem of its own")
    assert [problem.path for problem in report.problems] == ["copa-test.xml"]


def test_an_import_does_not_advise_to_import(tmp_path):
    row = {"premise": "一", "choice1": "二", "choice2": "三", "question": "Effect", "label": 0, "idx": 0, "changed": False}
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "test.zh.jsonl").write_text(
        json.dumps(row) + "\n" + json.dumps({**row, "question": "cause", "idx": 1}) + "\n"
    )
    problems = import_folder(tmp_path / "in", tmp_path / "out").problems
    said = " ".join(str(problem) for problem in problems)
    assert "Did you mean 'effect'?" in said and "the label codes of the hub" in said and "data import" not in said

"""Importing original release files: what holds for every format, and for the folder that is written."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys

import pytest
from importing_help import jsonl, write, xcopa_row

from lensbench.datasets.importing import import_folder
from lensbench.datasets.importing.formats import FORMATS
from lensbench.datasets.rows import load_rows_spec
from lensbench.datasets.sources import Folder
from lensbench.errors import DataError, UsageError
from lensbench.languages import get_language


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (jsonl(xcopa_row(0)) + '{"premise": \n', r"test\.zh\.jsonl, line 2: not JSON"),
        (jsonl(xcopa_row(0)) + "[]\n", r"test\.zh\.jsonl, line 2: expected an object, found list"),
        (jsonl(xcopa_row(0)) + "[" * 100_000 + "\n", r"test\.zh\.jsonl, line 2: JSON nested too deep"),
        (jsonl(xcopa_row(0)).encode() + b'{"premise": "\xff"}\n', r"test\.zh\.jsonl, line 2: not UTF-8 \(byte 0xff\)"),
        (jsonl(xcopa_row(0), {"premise": "p"}), r"test\.zh\.jsonl, line 2: missing columns 'choice1', 'choice2'"),
        (jsonl(xcopa_row(0), xcopa_row(1, "why")), r"test\.zh\.jsonl, line 2, column 'question': label 'why'"),
        (jsonl(xcopa_row(0), xcopa_row(1, label=2)), r"test\.zh\.jsonl, line 2, column 'label': label 2"),
        (jsonl(xcopa_row(0) | {"idx": "0"}), r"test\.zh\.jsonl, line 1, column 'idx': expected int, found str"),
        (
            jsonl(xcopa_row(0) | {"premise": "?"}).replace("?", "\\ud800"),
            r"test\.zh\.jsonl, line 1, column 'premise': half of a surrogate pair",
        ),
        ("", r"test\.zh\.jsonl: the file is empty"),
    ],
)
def test_a_wrong_file_is_named_and_leaves_nothing(tmp_path, content, message):
    write(tmp_path / "in/test.zh.jsonl", content)
    with pytest.raises(DataError, match=message):
        import_folder(tmp_path / "in", tmp_path / "out", strict=True)
    assert not list((tmp_path / "out").rglob("*.*"))


def test_what_was_written_before_an_error_stays_whole(tmp_path):
    write(tmp_path / "in/a/val.zh.jsonl", jsonl(xcopa_row(0)))
    write(tmp_path / "in/mgsm_en.tsv", "How many?\tmany\n")
    with pytest.raises(DataError, match="mgsm_en"):
        import_folder(tmp_path / "in", tmp_path / "out", strict=True)
    manifest = json.loads((tmp_path / "out/manifest.json").read_text())
    assert [item["path"] for item in manifest["files"]] == ["xcopa/zh/validation.parquet"]
    written = sorted(p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*") if p.is_file())
    assert written == ["manifest.json", "xcopa/zh/validation.parquet"]
    assert len(Folder(tmp_path / "out").load(load_rows_spec("xcopa"), get_language("zh"), "validation")) == 1


def test_an_error_keeps_the_earlier_file_of_the_same_path(tmp_path):
    write(tmp_path / "in/mgsm_en.tsv", "How many?\t1\n")
    import_folder(tmp_path / "in", tmp_path / "out")
    before = (tmp_path / "out/mgsm/en/test.parquet").read_bytes()
    write(tmp_path / "in/mgsm_en.tsv", "How many?\t1\nHow many?\tmany\n")
    with pytest.raises(DataError):
        import_folder(tmp_path / "in", tmp_path / "out", strict=True)
    assert (tmp_path / "out/mgsm/en/test.parquet").read_bytes() == before


def test_manifest_holds_hashes_and_is_merged(tmp_path):
    write(tmp_path / "in/mgsm_en.tsv", "How many?\t1\n")
    import_folder(tmp_path / "in", tmp_path / "out")
    write(tmp_path / "more/mgsm_sw.tsv", "Ngapi?\t1\n")
    write(tmp_path / "more/mgsm_en.tsv", "How many?\t2\n")
    import_folder(tmp_path / "more", tmp_path / "out", overwrite=True)
    manifest = json.loads((tmp_path / "out/manifest.json").read_text(encoding="utf-8"))
    assert manifest["lensbench_data"] == 1
    assert [item["path"] for item in manifest["files"]] == ["mgsm/en/test.parquet", "mgsm/sw/test.parquet"]
    english = manifest["files"][0]
    assert english["sha256"] == hashlib.sha256((tmp_path / "out/mgsm/en/test.parquet").read_bytes()).hexdigest()
    assert english["source"] == ["mgsm_en.tsv"]
    assert english["source_sha256"] == [hashlib.sha256(b"How many?\t2\n").hexdigest()]
    assert {"rows", "language", "split", "n", "licence", "stand_in", "notes"} <= english.keys()


@pytest.mark.parametrize("content", ["{", "[]", '{"lensbench_data": 2, "files": []}', '{"lensbench_data": 1, "files": [{}]}'])
def test_a_strange_manifest_is_left_alone(tmp_path, content):
    write(tmp_path / "in/mgsm_en.tsv", "How many?\t1\n")
    write(tmp_path / "out/manifest.json", content)
    with pytest.raises(DataError, match="not a data manifest"):
        import_folder(tmp_path / "in", tmp_path / "out", strict=True)
    assert (tmp_path / "out/manifest.json").read_text() == content


def test_two_originals_of_one_file(tmp_path):
    write(tmp_path / "in/a/mgsm_en.tsv", "How many?\t1\n")
    write(tmp_path / "in/b/mgsm_en.tsv", "How many?\t2\n")
    words = r"a/mgsm_en\.tsv \(1 rows\); b/mgsm_en\.tsv \(1 rows\) would both become mgsm/en/test\.parquet"
    with pytest.raises(DataError, match=words):
        import_folder(tmp_path / "in", tmp_path / "out", strict=True)
    assert not (tmp_path / "out/mgsm").exists()


def test_unrecognised_files_are_listed(tmp_path):
    write(tmp_path / "in/README.md", "# hello")
    write(tmp_path / "in/noise.csv", b"\x00\xff\xfe")
    write(tmp_path / "in/.hidden", "x")
    report = import_folder(tmp_path / "in", tmp_path / "out")
    assert [skip.path for skip in report.skipped] == ["README.md", "noise.csv"]
    assert report.files == ()


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ({"question_id": 81, "choices": []}, "recorded answers of a model"),
        ({"question_id": 81, "judgment": "[[1]]"}, "recorded verdicts of a judge"),
    ],
)
def test_known_but_not_imported(tmp_path, record, words):
    write(tmp_path / "in/x.jsonl", jsonl(record))
    assert import_folder(tmp_path / "in", tmp_path / "out").skipped[0].reason.startswith(words)


def test_the_data_folder_may_lie_inside_the_source(tmp_path):
    write(tmp_path / "mgsm_en.tsv", "How many?\t1\n")
    for _ in range(2):
        report = import_folder(tmp_path, tmp_path / "data")
        assert report.skipped == ()


def test_missing_source_and_wrong_target(tmp_path):
    with pytest.raises(UsageError, match="no such file or folder"):
        import_folder(tmp_path / "nowhere", tmp_path / "out")
    write(tmp_path / "file", "")
    with pytest.raises(UsageError, match="is a file"):
        import_folder(tmp_path, tmp_path / "file")


def test_progress_is_told_of_each_file(tmp_path):
    write(tmp_path / "in/mgsm_en.tsv", "How many?\t1\n")
    said: list[str] = []
    import_folder(tmp_path / "in", tmp_path / "out", on_progress=said.append)
    assert said == ["mgsm/en/test.parquet: 1 rows"]


def test_format_names_are_unique():
    assert len({form.name for form in FORMATS}) == len(FORMATS)


def test_pyarrow_is_not_loaded_by_the_import_statement():
    code = "import sys, lensbench.datasets.importing; sys.exit('pyarrow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

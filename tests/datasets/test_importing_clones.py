"""Importing whole clones, where several originals would become one file, and importing over what is there."""

from __future__ import annotations

import json
import shutil

import pytest
from importing_help import entry, jsonl, read, write, xcopa_row

from lensbench.datasets.importing import import_folder

SAME = "How many?\t1\nAnd now?\t2\n"


def test_equal_files_in_two_folders_become_one(tmp_path):
    write(tmp_path / "in/a/mgsm_en.tsv", SAME)
    write(tmp_path / "in/b/mgsm_en.tsv", SAME)
    report = import_folder(tmp_path / "in", tmp_path / "out")
    assert (report.problems, [file.source for file in report.files]) == ((), [("a/mgsm_en.tsv",)])
    assert report.notes == ("b/mgsm_en.tsv (2 rows for mgsm/en/test.parquet): the same rows as a/mgsm_en.tsv",)


def test_of_a_file_and_a_part_of_it_the_whole_is_taken(tmp_path):
    write(tmp_path / "in/a/test.zh.jsonl", jsonl(xcopa_row(1)))
    write(tmp_path / "in/b/test.zh.jsonl", jsonl(xcopa_row(0), xcopa_row(1)))
    report = import_folder(tmp_path / "in", tmp_path / "out")
    assert (report.problems, [file.n for file in report.files]) == ((), [2])
    assert "a/test.zh.jsonl (1 rows for xcopa/zh/test.parquet): left out, 2 rows are taken from b/test.zh.jsonl" in report.notes


def test_files_that_differ_are_asked_about_and_the_rest_goes_on(tmp_path, cli):
    write(tmp_path / "in/a/mgsm_en.tsv", "How many?\t1\n")
    write(tmp_path / "in/b/mgsm_en.tsv", "How many?\t2\n")
    write(tmp_path / "in/test.zh.jsonl", jsonl(xcopa_row(0)))
    done = cli("data", "import", tmp_path / "in", "--to", tmp_path / "out")
    assert done.returncode == 1
    assert "would both become mgsm/en/test.parquet and hold different rows; none was written" in done.stderr
    assert "--prefer" in done.stderr
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["manifest.json", "xcopa"]
    done = cli("data", "import", tmp_path / "in", "--to", tmp_path / "out", "--prefer", "b/*")
    assert done.returncode == 0
    assert [row["answer"] for row in read(tmp_path / "out/mgsm/en/test.parquet")] == [2]
    assert "a/mgsm_en.tsv (1 rows for mgsm/en/test.parquet): left out" in done.stdout
    report = import_folder(tmp_path / "in", tmp_path / "out", prefer=["b/*", "c/*"])
    assert "``prefer=c/*``: matches no file that was read" in report.warnings


def test_other_rows_are_not_overwritten_unasked(tmp_path, cli):
    write(tmp_path / "first/mgsm_en.tsv", SAME)
    write(tmp_path / "second/mgsm_en.tsv", "How many?\t1\n")
    write(tmp_path / "second/mgsm_sw.tsv", "Ngapi?\t1\n")
    import_folder(tmp_path / "first", tmp_path / "out")
    before = json.loads((tmp_path / "out/manifest.json").read_text())["files"][0]
    done = cli("data", "import", tmp_path / "second", "--to", tmp_path / "out")
    assert done.returncode == 1
    assert "mgsm/en/test.parquet already exists with other rows (2 rows from ['mgsm_en.tsv'])" in done.stderr
    assert len(read(tmp_path / "out/mgsm/en/test.parquet")) == 2
    assert len(read(tmp_path / "out/mgsm/sw/test.parquet")) == 1
    done = cli("data", "import", tmp_path / "second", "--to", tmp_path / "out", "--replace")
    assert done.returncode == 0
    assert len(read(tmp_path / "out/mgsm/en/test.parquet")) == 1
    after = json.loads((tmp_path / "out/manifest.json").read_text())["files"][0]
    assert after["replaced"] == [before]
    import_folder(tmp_path / "first", tmp_path / "out", overwrite=True)
    again = json.loads((tmp_path / "out/manifest.json").read_text())["files"][0]
    assert [each["n"] for each in again["replaced"]] == [2, 1]


def test_a_file_of_the_users_own_is_not_overwritten_either(tmp_path):
    write(tmp_path / "in/mgsm_en.tsv", SAME)
    write(tmp_path / "out/mgsm/en/test.parquet", b"mine")
    report = import_folder(tmp_path / "in", tmp_path / "out")
    assert "a file that no import wrote" in report.problems[0].message
    assert (tmp_path / "out/mgsm/en/test.parquet").read_bytes() == b"mine"


def test_the_same_import_twice_is_no_problem(tmp_path):
    write(tmp_path / "in/mgsm_en.tsv", SAME)
    reports = [import_folder(tmp_path / "in", tmp_path / "out") for _ in range(2)]
    assert reports[0] == reports[1]
    assert reports[0].problems == ()


def test_a_file_that_would_no_longer_be_read_is_named(tmp_path):
    write(tmp_path / "in/mgsm_en.tsv", SAME)
    write(tmp_path / "out/mgsm/en/test.jsonl", "{}\n")
    report = import_folder(tmp_path / "in", tmp_path / "out")
    assert report.notes[0].startswith("! mgsm/en/test.jsonl lies in the data folder too and is not read")


def test_jmmlu_in_two_folders_is_one_release(tmp_path):
    write(tmp_path / "in/JMMLU/anatomy.csv", "これは,あ,い,う,え,A\n")
    write(tmp_path / "in/JMMLU_NC_ND/japanese_idiom.csv", "それは,あ,い,う,え,B\n")
    report = import_folder(tmp_path / "in", tmp_path / "out")
    found = entry(report, "m_mmlu/ja/test.parquet")
    assert (found.n, report.problems) == (2, ())
    assert found.licence == "CC BY-SA 4.0; japanese_idiom: CC BY-NC-ND 4.0"


def test_one_subject_twice(tmp_path):
    write(tmp_path / "in/a/JMMLU/anatomy.csv", "これは,あ,い,う,え,A\n")
    write(tmp_path / "in/b/JMMLU/anatomy.csv", "これは,あ,い,う,え,A\n")
    report = import_folder(tmp_path / "in", tmp_path / "out")
    assert (report.files[0].n, report.notes) == (1, ("b/JMMLU/anatomy.csv: the same as a/JMMLU/anatomy.csv",))
    write(tmp_path / "in/b/JMMLU/anatomy.csv", "これは,あ,い,う,え,B\n")
    report = import_folder(tmp_path / "in", tmp_path / "out2")
    assert "hold different rows of the subject anatomy" in report.problems[0].message
    report = import_folder(tmp_path / "in", tmp_path / "out2", prefer=["b/*"])
    assert (report.problems, read(tmp_path / "out2/m_mmlu/ja/test.parquet")[0]["answer"]) == ((), "B")


def test_the_corrected_questions_of_mt_bench_x_are_taken(tmp_path):
    def question(text: str) -> str:
        return jsonl({"question_id": "81_IT", "category": "writing", "turns": [text, "E poi?"]})

    write(tmp_path / "in/data/mt_bench_IT/question.jsonl", question("Nuova?"))
    write(tmp_path / "in/data/mt_bench_IT/question_original.jsonl", question("Vecchia?"))
    report = import_folder(tmp_path / "in", tmp_path / "out")
    assert read(tmp_path / "out/mt_bench/it/test.parquet")[0]["turns"][0] == "Nuova?"
    assert "question_original.jsonl: left out" in report.notes[0]


def test_the_probing_sample_of_more_languages_is_taken(tmp_path):
    write(tmp_path / "in/datasets/aya_en_zh_300/test.jsonl", jsonl({"en": "x", "zh": "y"}))
    write(tmp_path / "in/datasets/aya_en_zh_ja_300/test.jsonl", jsonl({"en": "a", "zh": "b", "ja": "c"}))
    report = import_folder(tmp_path / "in", tmp_path / "out")
    assert report.problems == ()
    assert [read(tmp_path / f"out/aya/{code}/train.parquet")[0]["inputs"] for code in ("eng", "zho", "jpn")] == ["a", "b", "c"]
    report = import_folder(tmp_path / "in", tmp_path / "two", prefer=["*/aya_en_zh_300/*"])
    assert [read(tmp_path / f"two/aya/{code}/train.parquet")[0]["inputs"] for code in ("eng", "zho", "jpn")] == ["x", "y", "c"]


@pytest.mark.real
def test_real_clones(real_data, tmp_path):
    """Clones put together of real files: a selection beside the whole, one release in two folders, one sample twice."""
    clone = tmp_path / "in/crosslingual_winograd"
    clone.mkdir(parents=True)
    lines = (real_data / "xwinograd/dataset.tsv").read_text(encoding="utf-8").splitlines(keepends=True)
    (clone / "dataset.tsv").write_text("".join(lines), encoding="utf-8")
    (clone / "dataset.selected.tsv").write_text("".join(lines[::300]), encoding="utf-8")
    subjects = sorted((real_data / "jmmlu").rglob("*.csv"))
    for part, files in (("JMMLU", subjects[:-3]), ("JMMLU_NC_ND", subjects[-3:])):
        (tmp_path / "in/JMMLU" / part).mkdir(parents=True)
        for file in files:
            shutil.copy(file, tmp_path / "in/JMMLU" / part)
    for copy in ("Lens/datasets", "Lens/Probing/datasets"):
        shutil.copytree(real_data / "lens", tmp_path / "in" / copy)
    report = import_folder(tmp_path / "in", tmp_path / "out")
    assert report.problems == ()
    assert entry(report, "m_mmlu/ja/test.parquet").n == 5594
    whole = import_folder(real_data, tmp_path / "whole")
    for file in report.files:
        assert file.sha256 == entry(whole, file.path).sha256


def test_candidates_in_several_files_of_a_clone_are_taken_once(tmp_path):
    def candidate(name: str, right: str) -> dict:
        text = "甲和乙说他来了"
        target = {"span1_text": name, "span1_index": text.index(name), "span2_text": "他", "span2_index": text.index("他")}
        return {"target": target, "idx": 0, "label": right, "text": text}

    both = jsonl(candidate("甲", "true"), candidate("乙", "false"))
    write(tmp_path / "in/cluewsc/train_0.json", both)
    write(tmp_path / "in/cluewsc/train_few_all.json", both)
    unlabelled = candidate("甲", "true")
    del unlabelled["label"]
    write(tmp_path / "in/cluewsc/test.json", jsonl(unlabelled))
    report = import_folder(tmp_path / "in", tmp_path / "out")
    assert (report.problems, report.files[0].n) == ((), 1)
    assert report.notes == ("cluewsc/train_0.json: left out, its candidates are in train_few_all.json",)
    assert [skip.reason for skip in report.skipped] == ["CLUEWSC without labels"]

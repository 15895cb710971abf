"""`data import` over damaged originals of every format: no traceback, no file outside the target, no row lost unsaid."""

from __future__ import annotations

import fuzz_import
import pytest
from fuzz_import import MUTATIONS, faults, inputs, originals

from lensbench.datasets.importing import import_folder
from lensbench.datasets.importing.formats import FORMATS


def run(count: int, seed: int, tmp_path) -> list[str]:
    wrong = []
    for number, (name, how, content) in enumerate(inputs(count, seed)):
        wrong += [f"{name}, {how}: {fault}" for fault in faults(name, how, content, tmp_path / str(number))]
    return wrong


def test_damaged_originals(tmp_path):
    assert run(150, 0, tmp_path) == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_many_damaged_originals(tmp_path, seed):
    assert run(2 * len(MUTATIONS) * len(originals()), seed, tmp_path) == []


@pytest.mark.parametrize("name", originals())
def test_whole_originals_lose_nothing(tmp_path, name):
    content = originals()[name]
    assert faults(name, "whole", content, tmp_path) == []
    report = import_folder(tmp_path / "in", tmp_path / "again")
    assert report.problems == ()
    # The sample of two languages has its rows twice, and Aya's are shared out.
    assert sum(file.n for file in report.files) in (fuzz_import.ROWS, 2 * fuzz_import.ROWS)


def test_every_format_has_an_original(tmp_path):
    for number, (name, content) in enumerate(originals().items()):
        path = tmp_path / str(number) / name
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
    from lensbench.datasets.importing.problems import Problems
    from lensbench.datasets.importing.walking import find

    groups, _ = find(tmp_path, tmp_path / "out", Problems())
    assert {form.name for form, _ in groups} == {form.name for form in FORMATS} - {"not_yet"}


ALONE = ("data/zh.json.gz", "bactrian/", "pull/", "xcopa/", "aya/", "aya_en_zh_300/")
"""Originals that would become the same files as others do."""


def test_one_damaged_file_stops_no_other(tmp_path):
    whole = {name: content for name, content in originals().items() if not name.startswith(ALONE)}
    for name, content in whole.items():
        path = tmp_path / "whole" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    expected = {file.path: file for file in import_folder(tmp_path / "whole", tmp_path / "out").files}
    for number, (name, how, content) in enumerate(inputs(60, seed=3)):
        if name not in whole:
            continue
        (tmp_path / "whole" / name).write_bytes(content)
        found = {file.path: file.sha256 for file in import_folder(tmp_path / "whole", tmp_path / str(number)).files}
        for path, file in expected.items():
            if name not in file.source:
                assert found.get(path) == file.sha256, (name, how, path)
        (tmp_path / "whole" / name).write_bytes(whole[name])

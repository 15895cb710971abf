"""No model folder, however broken, ends in a traceback, a hang or a write outside."""

from __future__ import annotations

import itertools
import shutil
import traceback
from pathlib import Path

import pytest
from fuzz_models import broken_copy, mutations, open_and_use

from lensbench.errors import LensbenchError


def _try(source: Path, at: Path, seed: int, count: int) -> tuple[list[str], int]:
    wrong, refused = [], 0
    for number, mutation in enumerate(itertools.islice(mutations(seed), count)):
        folder = broken_copy(source, at / str(number), mutation)
        try:
            open_and_use(folder)
        except LensbenchError as error:
            refused += 1
            if str(folder) not in error.message or len(error.message) > 2000:
                wrong.append(f"{mutation[0]}: the message names no folder, or is too long: {error.message[:200]!r}")
        except BaseException:
            wrong.append(f"{mutation[0]}: {traceback.format_exc()[-700:]}")
        shutil.rmtree(folder)
    return wrong, refused


def test_forty_broken_folders(tiny_model_dir: Path, tmp_path: Path) -> None:
    wrong, refused = _try(tiny_model_dir, tmp_path, seed=12, count=40)
    assert not wrong, "\n\n".join(wrong)
    assert refused >= 15, "the changes break too little"


@pytest.mark.slow
def test_two_hundred_broken_folders(tiny_model_dir: Path, tmp_path: Path) -> None:
    wrong, refused = _try(tiny_model_dir, tmp_path, seed=1, count=200)
    assert not wrong, "\n\n".join(wrong)
    assert refused >= 80


def test_the_folder_they_are_made_from_works(tiny_model_dir: Path) -> None:
    open_and_use(tiny_model_dir)

"""An error about English rows says how to leave English out; one about a target language does not."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest

from lensbench.datasets.sources import Folder
from lensbench.errors import UnavailableError
from lensbench.plan.plan import make_plan
from lensbench.plan.request import RunRequest
from lensbench.plan.task_items import load_rows

MINI = Path(__file__).parents[2] / "lensbench" / "datasets" / "mini"


@pytest.mark.parametrize(("gone", "said"), [("en", True), ("zh", False)])
def test_the_way_out_is_named(gone: str, said: bool, tmp_path: Path) -> None:
    shutil.copytree(MINI / "xwinograd", tmp_path / "xwinograd")
    plan = make_plan(RunRequest("smollm2-135m", tasks=("xwinograd",), data=str(tmp_path)))
    shutil.rmtree(tmp_path / "xwinograd" / gone)
    # As a hub that is out of reach, which the plan does not ask.
    plan = dataclasses.replace(plan, source=Unreached(tmp_path))
    with pytest.raises(UnavailableError) as caught:
        load_rows(plan, {})
    assert ("english=False" in str(caught.value)) == said and "out of reach" in str(caught.value)


class Unreached(Folder):
    def load(self, spec, language, split, revision=None):  # type: ignore[no-untyped-def]
        if not (self.path / spec.rows / language.code).is_dir():
            raise UnavailableError("the hub is out of reach", "Try later.")
        return super().load(spec, language, split, revision)

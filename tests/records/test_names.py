"""Names that are printed and read again: tasks in a language, rows, graders."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lensbench.metrics import MetricName
from lensbench.records import Grader, RowsKey, TaskKey
from lensbench.records.grader import preferred, short_names

PACKAGE = Path(__file__).parents[2] / "lensbench"
_NAME = st.text(st.characters(exclude_characters="/>", exclude_categories=("Cs",)), min_size=1, max_size=8)


@given(st.lists(_NAME, min_size=1, max_size=3).map("/".join), _NAME, _NAME, st.just("") | _NAME)
def test_a_task_key_is_read_as_it_was_printed(task: str, language: str, profile: str, wanted: str) -> None:
    key = TaskKey(task, language, profile, wanted)
    assert TaskKey.parse(str(key), profile) == key
    assert key.answered == (wanted or language)


def test_task_keys_by_hand() -> None:
    assert str(TaskKey("xcopa", "zh", "lens-paper")) == "xcopa/zh"
    assert str(TaskKey("lcb", "en", wanted="sw")) == "lcb/en>sw"
    assert TaskKey.parse("own/xcopa/zh") == TaskKey("own/xcopa", "zh")
    assert sorted([TaskKey("b", "en"), TaskKey("a", "zh"), TaskKey("a", "en")])[0] == TaskKey("a", "en")
    for text in ("xcopa", "/zh", "xcopa/", "xcopa/>sw", ""):
        with pytest.raises(ValueError, match="TASK/LANGUAGE"):
            TaskKey.parse(text)


@given(st.text(max_size=20), st.sampled_from(["judge", "identifier", "extractor"]))
def test_any_text_is_a_grader_that_is_printed_as_it_was(text: str, kind: str) -> None:
    assert str(Grader.parse(text, kind)) == text  # type: ignore[arg-type]


def test_graders_by_hand() -> None:
    judge = Grader.parse("strict:org/model:free:1234abcd", "judge")
    assert judge == Grader("judge", "strict", "org/model:free", "1234abcd")
    assert judge.short == "strict:1234abcd"
    assert Grader.parse("glotlid:8f34", "identifier") == Grader("identifier", "glotlid", None, "8f34")
    assert Grader.of_cell("", "share") is None
    assert [Grader.of_cell("a:b:c", unit).kind for unit in ("rating", "share")] == ["judge", "identifier"]  # type: ignore[union-attr]


def test_glotlid_is_heard_first_and_names_are_short_where_they_can_be() -> None:
    texts = ("lid176:1", "aaa:2", "glotlid:9", "lid176:2")
    graders = [Grader.parse(text, "identifier") for text in texts]
    assert list(map(str, preferred(graders))) == ["glotlid:9", "aaa:2", "lid176:1", "lid176:2"]
    assert short_names(graders) == {"lid176:1": "lid176:1", "lid176:2": "lid176:2", "aaa:2": "aaa", "glotlid:9": "glotlid"}


def test_rows_and_metrics_by_hand() -> None:
    rows = RowsKey.parse("hub:org/set:0123456789ab")
    assert (rows.kind, rows.name, rows.digest) == ("hub", "org/set", "0123456789ab") and str(rows) == "hub:org/set:0123456789ab"
    assert RowsKey.parse("lm-eval's own").digest == "lm-eval's own"
    assert MetricName.of_lm_eval("exact_match,strict") == MetricName.parse("exact_match:strict")
    assert str(MetricName.of_lm_eval("acc,none")) == "acc" == str(MetricName.parse("acc"))


def test_identifiers_are_taken_apart_in_one_place() -> None:
    """No other file cuts a text at a colon or slash that a key or grader put there."""
    homes = {"records/task_key.py", "records/grader.py", "metrics/metric_name.py"}
    named = "source|judge|identifier|signature|grader|key|cell|where|rows"
    pattern = re.compile(rf"""({named})\W*\.r?(partition|split)\(["'][:/]""")
    assert pattern.search("""{c["source"].split(":")[0]}""") and pattern.search("""str(about.get("rows")).rpartition(":")[2]""")
    found = [
        f"{path.relative_to(PACKAGE)}: {line.strip()}"
        for path in PACKAGE.rglob("*.py")
        if str(path.relative_to(PACKAGE)) not in homes
        for line in path.read_text(encoding="utf-8").splitlines()
        if pattern.search(line)
    ]
    assert not found, "\n".join(found)

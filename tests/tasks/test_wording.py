"""Whose words the prompts have: ours are a reason for a difference to a paper's numbers, the authors' own stand in its table."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from conftest import Cli
from table_runs import about, cell, results, write_run

from lensbench.content import content_dir
from lensbench.errors import UsageError
from lensbench.plan.plan import make_plan
from lensbench.plan.request import RunRequest
from lensbench.tasks import TaskRegistry, resolve

MINI = Path(__file__).parents[2] / "lensbench" / "datasets" / "mini"
PROFILE = """\
profile: lens-authors
title: Word for word
about: As lens-paper, in the words of the released evaluation.
wording: authors
stands_for: lens-paper
chat: true
scoring: first_token
sample: {n: 1000, seed: 112}
"""
REASON = "other wording: the wording of the prompts is ours"


def _task(**lines: str) -> str:
    """Our XCOPA in other words, under another profile or with a further line."""
    text = (content_dir("tasks") / "xcopa.lens-paper.yaml").read_text(encoding="utf-8")
    profile = lines.pop("profile", "lens-paper")
    assert "profile: lens-paper\n" in text and "doc_to_text: |-\n" in text
    further = "".join(f"{key}: {value}\n" for key, value in lines.items())
    text = text.replace("profile: lens-paper\n", f"profile: {profile}\n{further}")
    return text.replace("doc_to_text: |-\n", "doc_to_text: |-\n  Word for word.\n")


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    home = tmp_path / "theirs"
    (home / "profiles").mkdir(parents=True)
    (home / "profiles" / "lens-authors.yaml").write_text(PROFILE, encoding="utf-8")
    (home / "xcopa.yaml").write_text(_task(profile="lens-authors"), encoding="utf-8")
    return home


def _reasons(cli: Cli, run: Path, *options: str) -> list[dict[str, str]]:
    done = cli("table", "bilingual", "--published", "--format", "csv", *options, run)
    assert done.returncode == 0, done.stderr
    return [row for row in csv.DictReader(io.StringIO(done.stdout)) if row.get("lens_verdict") and row["lens_paper"]]


def test_a_run_in_the_authors_words_stands_in_the_papers_table(
    theirs: Path, tiny_model_dir: Path, cli: Cli, tmp_path: Path
) -> None:
    common = ("--tasks", "xcopa", "--languages", "zh", "--data", MINI, "--limit", "3", "--backbone", tiny_model_dir)
    ours, own = tmp_path / "ours", tmp_path / "own"
    for out, more in ((ours, ()), (own, ("--include-path", theirs, "--profile", "lens-authors"))):
        done = cli("run", *common, *more, "--out", out)
        assert done.returncode == 0, done.stderr
    (row,) = _reasons(cli, ours)
    assert REASON in row["lens_other_settings"] and row["lens_verdict"] != "not comparable"
    (row,) = _reasons(cli, own)
    assert "wording" not in row["lens_other_settings"] and "other backbone" in row["lens_other_settings"]
    assert row["lens_verdict"] != "not comparable" and row["lens_difference"] and row["profile"] == "lens-authors"


def test_a_task_says_it_for_itself(theirs: Path) -> None:
    registry = TaskRegistry()
    (theirs / "xcopa.yaml").write_text(_task(wording="authors"), encoding="utf-8")
    shipped = registry.find("xcopa", "lens-paper")
    own = TaskRegistry([theirs]).find("xcopa", "lens-paper")
    assert own.path == theirs / "xcopa.yaml"
    profile = registry.profile("lens-paper")
    assert resolve(own, "zh", profile).wording == "authors" and resolve(shipped, "zh", profile).wording == "ours"


def test_what_is_said_of_the_words_is_no_other_protocol(theirs: Path) -> None:
    """Records of runs from before it was said go on under their keys."""
    registry = TaskRegistry()
    profile, entry = registry.profile("lens-paper"), registry.find("xcopa", "lens-paper")
    bare = profile.model_copy(update={"wording": None})
    assert resolve(entry, "zh", profile).protocol_hash() == resolve(entry, "zh", bare).protocol_hash()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("stands_for: lens-paper", "stands_for: lens-papre", "unknown profile that 'lens-authors' stands for 'lens-papre'"),
        ("scoring: first_token", "scoring: loglikelihood", "stands for 'lens-paper' and has another scoring"),
        ("sample: {n: 1000, seed: 112}", "sample: {n: 1000, seed: 1}", "stands for 'lens-paper' and has another sample"),
        ("wording: authors", "wording: theirs", "wording"),
    ],
)
def test_a_claim_that_cannot_be_is_refused(theirs: Path, old: str, new: str, said: str) -> None:
    path = theirs / "profiles" / "lens-authors.yaml"
    path.write_text(PROFILE.replace(old, new), encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        make_plan(RunRequest("smollm2-135m", tasks=("xcopa",), profile="lens-authors", data=str(MINI), include=(theirs,)))
    assert said in str(caught.value)


def test_an_old_run_says_that_it_is_not_recorded(tmp_path: Path, cli: Cli) -> None:
    content = results([cell("xcopa", "zh", "base", 0.9)])
    content["tasks"] = {"xcopa/zh": about("xcopa")}
    del content["tasks"]["xcopa/zh"]["wording"]
    (row,) = _reasons(cli, write_run(tmp_path / "run", content))
    assert row["lens_other_settings"] == "other wording: whose words the prompts have is not recorded"


def test_a_language_that_nothing_tells_is_no_target(tmp_path: Path, cli: Cli) -> None:
    """`und`, of lm-eval's results, is in no column and no mean, and does not make a run multilingual."""
    cells = [cell("xcopa", code, "base", value) for code, value in (("zh", 0.9), ("sw", 0.7), ("und", 0.1))]
    run = write_run(tmp_path / "run", results(cells), languages=())
    done = cli("table", "multilingual", run, "--format", "csv")
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert rows and "und" not in done.stdout and "Und" not in done.stdout
    assert {row["language"] for row in rows if row["value"]} >= {"zh", "sw"}
    means = [float(row["value"]) for row in rows if row["value"] and not row["language"]]
    assert means == [pytest.approx(80.0)]
    one = write_run(
        tmp_path / "one", results([cell("xcopa", code, "base", 0.9) for code in ("zh", "und")]), languages=("zh", "und")
    )
    assert cli("table", "bilingual", one).returncode == 0

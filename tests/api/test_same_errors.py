"""A mistake in a call raises the error of the command line; only arguments are spelled otherwise."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from simulated_run import simulate

import lensbench as lb
from lensbench.cli import cli
from lensbench.cli.flags import error_text
from lensbench.stages.results import write_results

RUN = {"backbone": "smollm2-135m", "data": "embedded"}
WORDS = ("run", "-b", "smollm2-135m", "--data", "embedded")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = simulate(
        tmp_path_factory.mktemp("same") / "run", items=4, variants=("base", "lens"), languages=("en", "zh"), tasks=("xcopa",)
    )
    write_results(made)
    return made.path


def asked(**changes: Any) -> Callable[[Path], Any]:
    return lambda run: lb.evaluate(**{**RUN, **changes})


CASES: dict[str, tuple[Callable[[Path], Any], tuple[str, ...], str]] = {
    "method": (asked(methods=["lenss"]), (*WORDS, "-m", "lenss"), "unknown method 'lenss'"),
    "backbone": (asked(backbone="smolm2"), ("run", "-b", "smolm2", "--data", "embedded"), "unknown backbone 'smolm2'"),
    "task": (asked(tasks=["xcopaa"]), (*WORDS, "-t", "xcopaa"), "Did you mean 'xcopa'?"),
    "no task": (asked(tasks=[]), (*WORDS, "-t", " "), "tasks names no task"),
    "language": (asked(languages=["zhh"]), (*WORDS, "-l", "zhh"), "unknown language 'zhh'"),
    "no language": (asked(languages=[], english=False), (*WORDS, "-l", ",", "--no-english"), "leaves no language"),
    "profile": (asked(profile="lm_eval"), (*WORDS, "-p", "lm_eval"), "unknown profile 'lm_eval'"),
    "setting": (asked(methods=["lens"], config={"rnk": 1}), (*WORDS, "-m", "lens", "--set", "rnk=1"), "did you mean 'rank'?"),
    "setting of an object": (
        asked(methods=[lb.Lens(rank=3)]),
        (*WORDS, "-m", "lens", "--set", "rank=3"),
        "rank 3 is out of range",
    ),
    "no method": (asked(config={"rank": 1}), (*WORDS, "--set", "rank=1"), "no method is given"),
    "limit": (asked(limit=0), (*WORDS, "--limit", "0"), "limit must be at least 1, found 0"),
    "dtype": (asked(dtype="float7"), (*WORDS, "--dtype", "float7"), "unknown dtype 'float7'"),
    "device": (asked(device="cdua", tasks=["xcopa"]), (*WORDS, "-t", "xcopa", "--device", "cdua"), "cannot be used here"),
    "data": (asked(data="no-folder"), ("run", "-b", "smollm2-135m", "--data", "no-folder"), "no data folder at no-folder"),
    "judge without a task": (
        asked(tasks=["xcopa"], judge="gpt-4o"),
        (*WORDS, "-t", "xcopa", "-j", "gpt-4o"),
        "none of the tasks is judged",
    ),
    "variant": (asked(variants=["wide=lenss:rank=1"]), (*WORDS, "--variant", "wide=lenss:rank=1"), "unknown method 'lenss'"),
    "two of one name": (
        asked(methods=["lens"], variants={"lens": lb.Lens(seed=1)}),
        (*WORDS, "-m", "lens", "--variant", "lens=lens:seed=1"),
        "lens",
    ),
    "ranks and engine": (
        asked(data_parallel=2, engine="vllm", tasks=["xcopa"]),
        (*WORDS, "-t", "xcopa", "--data-parallel", "2", "--engine", "vllm"),
        "cannot be combined with",
    ),
    "resume": (
        asked(resume=True, tasks=["xcopa"], out="nowhere", device="cpu"),
        (*WORDS, "-t", "xcopa", "--resume", "--out", "nowhere", "--device", "cpu"),
        "no run at nowhere",
    ),
    "no run": (lambda run: lb.load("nowhere"), ("show", "nowhere"), "no run at nowhere"),
    "variant of a run": (
        lambda run: lb.compare(run, run, variant="lenss"),
        ("compare", "RUN", "RUN", "--variant", "lenss"),
        "Did you mean 'lens'?",
    ),
    "identifier": (lambda run: lb.load(run).identify("glotlidd"), ("fidelity", "RUN", "-i", "glotlidd"), "glotlidd"),
    "judge": (lambda run: lb.load(run).judge("gpt-4"), ("judge", "RUN", "-j", "gpt-4"), "unknown judge 'gpt-4'"),
    "nothing to judge": (
        lambda run: lb.load(run).estimate("gpt-4o"),
        ("judge", "RUN", "-j", "gpt-4o", "--estimate"),
        "no answers",
    ),
    "poll seconds": (
        lambda run: lb.load(run).judge("gpt-4o", poll_seconds=-1),
        ("judge", "RUN", "-j", "gpt-4o", "--poll-seconds", "-1"),
        "poll_seconds must be above 0",
    ),
    "merge": (
        lambda run: lb.load(run).merge("merged", variant="lenss"),
        ("merge", "RUN", "--to", "merged", "--variant", "lenss"),
        "unknown variant 'lenss'",
    ),
    "merge into a folder": (lambda run: lb.load(run).merge(run), ("merge", "RUN", "--to", "RUN"), "give another to"),
    "figure": (
        lambda run: lb.figure("layer", [run], out="f.svg"),
        ("figure", "layer", "RUN", "--out", "f.svg"),
        "Did you mean 'layers'?",
    ),
    "figure's file": (
        lambda run: lb.figure("layers", [run], out="f.txt"),
        ("figure", "layers", "RUN", "--out", "f.txt"),
        "f.txt",
    ),
    "table": (lambda run: lb.table("bilinguall", [run]), ("table", "bilinguall", "RUN"), "bilingual"),
    "format": (lambda run: lb.table("cost", [run], format="tex"), ("table", "cost", "RUN", "--format", "tex"), "unknown format"),
    "paper's backbone": (
        lambda run: lb.table("cost", [run], paper_backbone="x"),
        ("table", "cost", "RUN", "--paper-backbone", "x"),
        "paper_backbone needs published",
    ),
    "report twice": (lambda run: lb.report([run, run], "r.html"), ("report", "RUN", "RUN", "--html", "r.html"), "is named twice"),
    "report without a file": (lambda run: lb.report([run, run / "."], None), ("report", "RUN", "RUN/."), "no output file"),
}


@pytest.mark.parametrize("name", CASES)
def test_the_same_error(name: str, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    call, words, says = CASES[name]
    with pytest.raises(lb.LensbenchError) as raised:
        call(run)
    told = CliRunner().invoke(cli, [word.replace("RUN", str(run)) for word in words], standalone_mode=False)
    assert isinstance(told.exception, lb.LensbenchError), (told.exception, told.output)
    assert type(told.exception) is type(raised.value)
    assert error_text(told.exception) == error_text(raised.value)
    assert says.lower() in str(raised.value).lower()
    own = str(raised.value).replace(str(run), "")
    assert "--" not in own and "``" not in own, own
    assert not list(tmp_path.iterdir()), "a refused call leaves nothing behind"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"methods": "lens"}, "methods must be a list of names, found 'lens' (str)"),
        ({"methods": lb.Lens()}, "methods must be a list, found Lens()"),
        ({"methods": ["lens", 3]}, "methods must hold names, found 3 (int)"),
        ({"methods": {"lens": 3}}, "the settings of 'lens' must be a mapping"),
        ({"languages": "zh"}, "languages must be a list of names, found 'zh' (str)"),
        ({"tasks": "xcopa"}, "tasks must be a list of names"),
        ({"limit": "24"}, "limit must be a whole number, found '24' (str)"),
        ({"limit": 2.5}, "limit must be a whole number, found 2.5 (float)"),
        ({"limit": True}, "limit must be a whole number, found True (bool)"),
        ({"batch_size": 0}, "batch_size must be at least 1, found 0"),
        ({"seed": -1}, "seed must be from 0 to 4294967295, found -1"),
        ({"engine": "tre"}, "unknown engine 'tre'"),
        ({"backbone": 3}, "backbone must be a text, found 3 (int)"),
        ({"include": "folder"}, "include must be a list of paths, found 'folder' (str)"),
        ({"variants": {"mine": 3}}, "variants must be a path, found 3 (int)"),
        ({"out": 3}, "out must be a path, found 3 (int)"),
    ],
)
def test_wrong_types_are_refused_by_name(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(lb.UsageError) as raised:
        lb.evaluate(**{**RUN, **arguments})
    assert says in str(raised.value)


def test_an_unknown_argument_is_pythons_own_error() -> None:
    with pytest.raises(TypeError, match="method"):
        lb.evaluate("smollm2-135m", method=["lens"])  # type: ignore[call-arg]

"""What each installation can do: the core alone, with one extra, with all. A command works, or names the extra that it lacks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import click
import pytest
from installed_only import ENVIRONMENTS, ROOT, distributions, hidden, project, run_with
from judged_run import build_run

from lensbench.cli import cli as lensbench
from lensbench.extras import MODULES

METHODS = ("lens", "incline", "xsft", "xsft-full", "qalign", "sdrrl")
LIGHT = ("core", "judge", "lid", "report")
"""Environments without torch."""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, cli: Callable[..., Any], tiny_model_dir: Path) -> dict[str, str]:
    return make_runs(tmp_path_factory.mktemp("ready"), cli, tiny_model_dir)


def make_runs(folder: Path, cli: Callable[..., Any], model: Path) -> dict[str, str]:
    """A run that an installation with everything made, and one whose answers wait for a judge."""
    done = cli(
        "run",
        "--method",
        "lens",
        "--backbone",
        model,
        "--data",
        "embedded",
        "--tasks",
        "xcopa,multiq",
        "--limit",
        "3",
        "--set",
        "n_probe=8",
        "--set",
        "n_parallel=16",
        "--set",
        "warmup_ratio=0",
        "--max-new-tokens",
        "4",
        "--out",
        folder / "run",
    )
    assert done.returncode == 0, done.stderr
    build_run(folder / "judged", items=1, languages=("en",), awkward=False)
    release = folder / "release" / "xcopa" / "data" / "it" / "test.it.jsonl"
    release.parent.mkdir(parents=True)
    row = {"premise": "Piove.", "choice1": "Esco.", "choice2": "Resto.", "question": "effect", "label": 1, "changed": False}
    release.write_text("".join(json.dumps({**row, "idx": n}) + "\n" for n in range(4)))
    return {"RUN": str(folder / "run"), "JUDGED": str(folder / "judged"), "MODEL": str(model), "RELEASE": str(folder / "release")}


def needs() -> list[tuple[str, set[str]]]:
    """Commands, and the extras that each needs. RUN, JUDGED and MODEL are folders, OUT a name that is free."""
    table: list[tuple[str, set[str]]] = [(f"{' '.join(words)} --help", set()) for words in command_names()]
    table += [(f"ls {kind}", set()) for kind in ("methods", "backbones", "tasks", "languages", "profiles", "judges")]
    table += [(f"run --method {m} --backbone llama3-8b --dry-run", set()) for m in (*METHODS, ",".join(METHODS))]
    table += [
        ("run --backbone smollm2-135m --data embedded --dry-run --json", set()),
        ("show RUN", set()),
        ("report RUN --html OUT.html", set()),
        ("compare RUN RUN --variant base --with lens", set()),
        ("table bilingual RUN", set()),
        ("tasks export xcopa --to OUT --languages zh", set()),
        ("data import RELEASE --to OUT", set()),
        ("import-lm-eval RUN/lm_eval/base --to OUT", set()),
        ("doctor", set()),
        ("results RUN --parquet", {"report"}),
        ("figure understanding RUN --out OUT.svg", {"report"}),
        ("fidelity RUN --identifier lid176", {"lid"}),
        ("judge JUDGED --judge gpt-4o --estimate", {"judge"}),
        ("tasks validate", {"engines"}),
        ("tasks describe xcopa --language zh --backbone MODEL", {"engines"}),
        ("run --backbone MODEL --data embedded --tasks xcopa --limit 1 --out OUT", {"engines"}),
        ("merge RUN --to OUT", {"engines"}),
        ("project RUN --data embedded --limit 2", {"engines"}),
    ]
    return table


def command_names() -> Iterator[list[str]]:
    yield []
    for name in lensbench.list_commands(click.Context(lensbench)):
        yield [name]
        command = lensbench.get_command(click.Context(lensbench), name)
        if isinstance(command, click.Group):
            yield from ([name, inner] for inner in command.commands)


def words(line: str, runs: dict[str, str], out: Path) -> list[str]:
    for name, value in {**runs, "OUT": str(out)}.items():
        line = " ".join(value + w[len(name) :] if w.partition("/")[0].partition(".")[0] == name else w for w in line.split(" "))
    return [word for word in line.split(" ") if word]


@pytest.mark.parametrize("environment", LIGHT)
def test_a_command_works_or_names_the_extra_it_lacks(environment: str, runs: dict[str, str], tmp_path: Path) -> None:
    table = needs()
    if environment != "core":
        # What works with the core alone works with more; a command that needs another extra still has to name it.
        table = [(line, extras) for line, extras in table if extras or line.startswith(("show", "run", "doctor"))]
    check(environment, table, runs, tmp_path)


def test_all_extras_are_enough(runs: dict[str, str], tmp_path: Path) -> None:
    """The light commands, and one that needs torch: the others run with everything in other tests."""
    check(
        "all",
        [(line, extras) for line, extras in needs() if extras and ("engines" not in extras or "validate" in line)],
        runs,
        tmp_path,
    )


def check(environment: str, table: list[tuple[str, set[str]]], runs: dict[str, str], tmp_path: Path) -> None:
    installed = {"engines", "judge", "lid", "report"} if environment == "all" else set(ENVIRONMENTS[environment])
    commands = [words(line, runs, tmp_path / f"out{number}") for number, (line, _) in enumerate(table)]
    env = {"LENSBENCH_CACHE": str(tmp_path / "cache"), "OPENAI_API_KEY": "k"}
    wrong = []
    for done, (line, extras) in zip(run_with(ENVIRONMENTS[environment], commands, tmp_path, env), table, strict=True):
        problem = problem_of(done, extras - installed)
        if problem:
            wrong.append(f"{line}: {problem}: exit code {done.returncode}\n{done.stderr[-600:]}")
    assert not wrong, "\n".join(wrong)
    refused = [
        Path(w[-1]) for w, (line, extras) in zip(commands, table, strict=True) if line.endswith("OUT") and extras - installed
    ]
    assert not [path for path in refused if path.exists()], "a command that lacks a package left a folder"


def problem_of(done: CompletedProcess[str], lacking: set[str]) -> str | None:
    if "Traceback" in done.stderr:
        return "a traceback"
    if lacking:
        named = all(f"pip install 'lensbench[{extra}]'" in done.stderr for extra in lacking)
        return None if done.returncode == 1 and named else f"does not name {lacking}"
    return None if done.returncode == 0 else "does not work"


def test_no_package_needs_an_extra_to_be_imported(tmp_path: Path) -> None:
    """Packages, commands, and what a plan reads of methods."""
    names = [".".join(p.parent.relative_to(ROOT).parts) for p in sorted((ROOT / "lensbench").rglob("__init__.py"))]
    names += [f"lensbench.cli.{p.stem}" for p in sorted((ROOT / "lensbench" / "cli").glob("*.py")) if p.stem != "__init__"]
    names += [".".join(p.relative_to(ROOT).with_suffix("").parts) for p in (ROOT / "lensbench" / "methods").rglob("config.py")]
    assert len(names) > 40
    code = f"from importlib import import_module\nfor name in {names!r}:\n    print(name)\n    import_module(name)"
    (done,) = run_with((), [("-c", code)], tmp_path)
    assert done.returncode == 0, f"{done.stdout.splitlines()[-1]}: {done.stderr[-600:]}"


def test_glotlid_names_the_extra_and_a_way_without_a_network(runs: dict[str, str], tmp_path: Path) -> None:
    asked = [["fidelity", runs["RUN"], "--identifier", "glotlid"]]
    (core,) = run_with((), asked, tmp_path)
    assert core.returncode == 1 and "pip install 'lensbench[lid]'" in core.stderr
    (lid,) = run_with(("lid",), asked, tmp_path, {"HF_HOME": str(tmp_path)})
    assert lid.returncode == 1 and "huggingface_hub" not in lid.stderr and "$LENSBENCH_MODELS/cis-lmu/glotlid" in lid.stderr


def test_an_unknown_package_is_a_message_too(tmp_path: Path) -> None:
    """One that no extra brings: a half-removed installation, or code that a user trusted."""
    code = (
        "import sys, lensbench.cli.ls as ls\n"
        "ls._rows = lambda *a: __import__('no_such_package_here')\n"
        "sys.argv = ['lensbench', 'ls', 'tasks']\nfrom lensbench.cli import main\nmain()"
    )
    (done,) = run_with((), [("-c", code)], tmp_path)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "needs the package 'no_such_package_here', which is not installed" in done.stderr


def test_an_old_version_of_a_package_is_a_message_too(tmp_path: Path) -> None:
    (tmp_path / "openai.py").write_text("")
    run = build_run(tmp_path / "run", items=1, languages=("en",), awkward=False).path
    words = ["judge", str(run), "--judge", "gpt-4o", "--estimate"]
    (done,) = run_with(("judge",), [words], tmp_path, {"PYTHONPATH": f"{tmp_path}:{ROOT}"})
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "pip install --upgrade 'lensbench[judge]'" in done.stderr and "cannot import name" in done.stderr


def test_the_table_of_extras_is_that_of_the_project() -> None:
    extras = project()["optional-dependencies"]
    assert set(MODULES.values()) <= set(extras)
    other_name = {
        "lm_eval": "lm-eval",
        "huggingface_hub": "huggingface-hub",
        "fasttext": "fasttext-predict",
        "tokenizers": "transformers",
    }
    for module, extra in MODULES.items():
        wanted = other_name.get(module, module.replace("_", "-"))
        assert any(text.startswith(wanted) for text in extras[extra]), f"{module} does not come with [{extra}]"


def test_the_simulation_hides_what_is_not_installed(tmp_path: Path) -> None:
    """Against pip itself: names of the core's closure as pip resolves them are in test_wheel.py."""
    core = distributions(())
    assert {"click", "pydantic", "pyarrow", "numpy", "rich", "pyyaml", "jinja2"} <= core
    assert not core & {"torch", "datasets", "openai", "pandas", "matplotlib", "huggingface-hub", "psutil", "tqdm"}
    assert {"torch", "openai", "lm_eval"} <= set(hidden(())["modules"])
    code = (
        "import importlib.metadata, importlib.util\n"
        "assert importlib.util.find_spec('torch') is None\n"
        "try: importlib.metadata.version('torch')\n"
        "except importlib.metadata.PackageNotFoundError: pass\n"
        "else: raise SystemExit(3)"
    )
    (done,) = run_with((), [("-c", code)], tmp_path)
    assert done.returncode == 0, done.stderr

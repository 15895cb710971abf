"""What each installation can do: the core alone, with one extra, with all. A command works, or names the extra that it lacks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from each_command import make_runs, needs, problem_of, words
from installed_only import ENVIRONMENTS, ROOT, distributions, hidden, project, run_with
from judged_run import build_run

from lensbench.extras import MODULES

LIGHT = ("core", "judge", "lid", "report")
"""Environments without torch."""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, cli: Callable[..., Any], tiny_model_dir: Path) -> dict[str, str]:
    return make_runs(tmp_path_factory.mktemp("ready"), cli, tiny_model_dir)


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


def test_no_package_needs_an_extra_to_be_imported(tmp_path: Path) -> None:
    """Packages, commands, and what a plan reads of methods."""
    names = [".".join(p.parent.relative_to(ROOT).parts) for p in sorted((ROOT / "lensbench").rglob("__init__.py"))]
    names += [f"lensbench.cli.{p.stem}" for p in sorted((ROOT / "lensbench" / "cli").glob("*.py")) if p.stem != "__init__"]
    names += [".".join(p.relative_to(ROOT).with_suffix("").parts) for p in (ROOT / "lensbench" / "methods").rglob("config.py")]
    assert len(names) > 40
    code = f"from importlib import import_module\nfor name in {names!r}:\n    print(name)\n    import_module(name)"
    (done,) = run_with((), [("-c", code)], tmp_path)
    assert done.returncode == 0, f"{done.stdout.splitlines()[-1]}: {done.stderr[-600:]}"


def test_a_run_without_a_judge_needs_the_engines_alone(tiny_model_dir: Path, tmp_path: Path) -> None:
    asked = ["run", "--method", "lens", "--backbone", str(tiny_model_dir), "--data", "embedded", "--tasks", "xcopa"]
    asked += ["--limit", "2", "--set", "n_probe=8", "--set", "n_parallel=16", "--set", "warmup_ratio=0", "--max-new-tokens", "4"]
    (done,) = run_with(("engines",), [[*asked, "--out", str(tmp_path / "run")]], tmp_path)
    assert done.returncode == 0, done.stderr[-800:]
    assert (tmp_path / "run" / "results.json").is_file()


def test_glotlid_names_the_extra_and_a_way_without_a_network(runs: dict[str, str], tmp_path: Path) -> None:
    asked = [["fidelity", runs["RUN"], "--identifier", "glotlid"]]
    (core,) = run_with((), asked, tmp_path)
    assert core.returncode == 1 and "pip install 'lensbench[lid]'" in core.stderr
    (lid,) = run_with(("lid",), asked, tmp_path, {"HF_HOME": str(tmp_path)})
    assert lid.returncode == 1 and "huggingface_hub" not in lid.stderr and "$LENSBENCH_MODELS/cis-lmu/glotlid" in lid.stderr


def test_an_unknown_package_is_a_message_too(tmp_path: Path) -> None:
    """One that no extra brings: a half-removed installation, or code that a user trusted."""
    code = (
        "import sys, lensbench.api.listings as listings\n"
        "listings.list_tasks = lambda *a: __import__('no_such_package_here')\n"
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

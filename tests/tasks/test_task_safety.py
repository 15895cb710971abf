"""Task files of a stranger: templates stay in the sandbox, nothing they name runs, and every refusal says where."""

from __future__ import annotations

import json
import os
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hostile_tasks import ATTACKS, COSTLY, ROW, TASK, errors, findings, write

from lensbench.errors import UsageError
from lensbench.sandbox import render
from lensbench.tasks import TaskRegistry, parse_task


@pytest.mark.parametrize("attack", ATTACKS)
def test_nothing_outside_the_row_is_reachable(attack: str, tmp_path: Path) -> None:
    mark = tmp_path / "was-here"
    with pytest.raises(UsageError):
        render(attack.replace("%s", str(mark)), ROW)
    assert not mark.exists()


@pytest.mark.parametrize("key", ["doc_to_text", "doc_to_choice", "doc_to_target", "description", "gen_prefix"])
def test_no_template_of_a_task_file_runs_code(key: str, tmp_path: Path) -> None:
    mark = tmp_path / "was-here"
    attack = json.dumps(ATTACKS[0].replace("%s", str(mark)))
    kept = "".join(line + "\n" for line in TASK.splitlines() if not line.startswith(f"{key}:"))
    write(tmp_path, f"{kept}{key}: {attack}\n")
    assert "template refused: access to attribute '__init__'" in errors(tmp_path)
    assert not mark.exists()


@pytest.mark.parametrize("template", COSTLY)
def test_size_and_loops_have_limits(template: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.monotonic()
    with pytest.raises(UsageError):
        render(template, ROW)
    assert time.monotonic() - began < 4
    # KiB; the highest of the process so far, so it can only grow.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000


@pytest.mark.parametrize("template", ["{{ [a, typo] }}", "{{ {'a': typo} }}", "{{ [q]|map(attribute='__class__')|list }}"])
def test_a_name_that_is_not_there_stands_in_no_list(template: str) -> None:
    with pytest.raises(UsageError, match=r"'typo' is undefined|not there|__class__"):
        render(template, ROW)


def test_powers_are_worked_out_where_they_stay_small() -> None:
    assert render("{{ x ** 3 }}", {"x": 2}) == "8"
    for huge in ("{{ x ** 1001 }}", "{{ (x * 1000000) ** 2 }}"):
        with pytest.raises(UsageError, match="huge number"):
            render(huge, {"x": 2})


def test_time_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    from lensbench.sandbox import environment as sandbox

    limit = sandbox._time_limit
    monkeypatch.setattr(sandbox, "_time_limit", lambda: limit(0.3))
    began = time.monotonic()
    with pytest.raises(UsageError, match=r"more than 0.3 seconds"):
        render("{{ ('a' * 40 ~ 'b')|regex_replace('^(a+)+$', '') }}", ROW)
    assert time.monotonic() - began < 3


def test_templates_give_what_lm_eval_gives() -> None:
    import jinja2
    from lm_eval.utils import regex_replace

    theirs = jinja2.Environment(loader=jinja2.BaseLoader, undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    theirs.filters["regex_replace"] = regex_replace
    for template in (
        "{{ q.strip()[:-1] }} {{ 'x' if label == 0 else 'y' }}\n",
        "{{ [a, b] }}{{ a ~ ' ' ~ label ~ b }}{{ q|regex_replace('[aeiou]', '_') }}",
        "{% for x in [a, b] %}{{ loop.index }}/{{ loop.length }}{{ x|upper }}{% if not loop.last %}, {% endif %}{% endfor %}",
        "{% set letters = ['A', 'B'] %}{{ letters.index('B') }}{{ {'a': 1}['a'] }}{{ q|length * 2 }}{{ '%s-%d' % (a, 3) }}",
        "{% for k, v in {'x': 1, 'y': 2}.items() %}{{ k }}={{ v }};{% endfor %}",
        "{{ [3, 1, 2]|sort|join(',') }}{{ '{} {}'.format(a, b) }}",
    ):
        assert render(template, ROW) == theirs.from_string(template).render(**ROW)


def test_lm_eval_renders_in_the_sandbox_once_a_task_is_built(tmp_path: Path) -> None:
    from lm_eval import utils

    write(tmp_path)
    assert errors(tmp_path) == ""
    with pytest.raises(UsageError):
        utils.apply_template("{{ cycler.__init__ }}", {})
    assert utils.env.sandboxed


CODE = {
    "function": ("doc_to_text: !function mine.ask\n", "would run Python code"),
    "metric folder": ("metric_list: [{metric: ./folder, hf_evaluate: true}]\n", "hf_evaluate loads the code"),
    "metric path": ("metric_list: [{metric: ./folder}]\n", "'./folder' is no registered name"),
    "unregistered metric": (
        "metric_list: [{metric: folder, aggregation: mean, higher_is_better: true}]\n",
        "unknown metric 'folder'",
    ),
    "aggregation": (
        "metric_list: [{metric: acc, aggregation: folder, higher_is_better: true}]\n",
        "unknown aggregation 'folder'",
    ),
    "filter": ("filter_list: [{name: x, filter: [{function: folder}]}]\n", "unknown filter 'folder'"),
    "process_docs": ("process_docs: mine.docs\n", "names Python code"),
    "process_results": ("process_results: mine.results\n", "names Python code"),
    "few-shot code": ("fewshot_config: {process_docs: mine.docs}\n", "names Python code"),
    "custom_dataset": ("custom_dataset: mine.rows\n", "unknown key 'custom_dataset'"),
    "unsafe_code": ("unsafe_code: true\n", "unknown key 'unsafe_code'"),
    "script": ("dataset_path: folder/folder.py\n", "a loading script is code"),
    "folder with code": ("dataset_path: folder\n", "holds code (folder.py)"),
    "builder": ("dataset_path: generator\n", "the builder 'generator' is not used"),
    "dataset argument": ("dataset_kwargs: {cache_dir: /tmp/elsewhere}\n", "'cache_dir' is not passed on"),
    "python tag": ("x: !!python/object/apply:os.system ['touch was-run']\n", "the tag"),
    "include itself": ("include: toy.yaml\n", "includes itself"),
    "include a number": ("include: 3\n", "expected the name of a file, found '3'"),
    "include elsewhere": ("include: /etc/passwd\n", "lies outside"),
    "include above": ("include: ../../../../../../etc/passwd\n", "lies outside"),
    "name that leads out": ("task: ../../../x\n", "cannot be the name of a task"),
    "rows that lead out": ("rows: [../../x]\n", "cannot be the name of a data set"),
    "split that leads out": ("test_split: ../../x\n", "cannot be the name of a split"),
}


@pytest.mark.parametrize("name", CODE)
def test_what_would_run_code_or_lead_elsewhere_is_refused(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line, says = CODE[name]
    key = line.partition(":")[0]
    kept = "".join(one + "\n" for one in TASK.splitlines() if not one.startswith(f"{key}:"))
    write(tmp_path, kept + line)
    (tmp_path / "folder").mkdir()
    for module in (tmp_path / "folder" / "folder.py", tmp_path / "mine.py"):
        module.write_text(f"open({str(tmp_path / 'was-run')!r}, 'w')\n")
    monkeypatch.chdir(tmp_path)
    assert says in errors(tmp_path), findings(tmp_path)
    assert "toy.yaml" in errors(tmp_path)
    assert not (tmp_path / "was-run").exists()


def test_an_upstream_definition_lies_in_lm_eval(tmp_path: Path) -> None:
    (tmp_path / "evil.yaml").write_text("task: evil\ndoc_to_text: !function evil.ask\n")
    (tmp_path / "evil.py").write_text(f"open({str(tmp_path / 'was-run')!r}, 'w')\ndef ask(doc): return 'x'\n")
    for place in (str(tmp_path / "evil.yaml"), os.path.relpath(tmp_path / "evil.yaml", "/")):
        home = tmp_path / f"t{len(place)}"
        write(
            home,
            TASK.replace(
                "languages: {sw: {}}", f"languages: {{sw: {{upstream: {'../' * 30 if place[0] != '/' else ''}{place}}}}}"
            ),
        )
        assert "leads outside" in errors(home)
    assert not (tmp_path / "was-run").exists()


def test_trusted_code_runs(tmp_path: Path, cli: Callable[..., Any]) -> None:
    write(tmp_path, TASK.replace('doc_to_text: "{{ q }}"', "doc_to_text: !function mine.ask"))
    (tmp_path / "mine.py").write_text("def ask(doc):\n    return 'Swali: ' + doc['q']\n")
    refused = cli("tasks", "validate", tmp_path / "toy.yaml", "--data", tmp_path / "data")
    assert refused.returncode == 2 and "--trust-tasks" in refused.stdout + refused.stderr
    for flag in ("--trust-tasks", "--trust"):
        done = cli("tasks", "validate", tmp_path / "toy.yaml", "--data", tmp_path / "data", flag)
        assert done.returncode == 0, done.stdout + done.stderr


def test_one_unreadable_file_does_not_block_a_folder(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "_group.yaml").write_text("group: suite\ntask: [toy]\n")
    (tmp_path / "code.yaml").write_text("task: code\ndataset_path: a/b\ndoc_to_text: !function mine.ask\n")
    (tmp_path / "broken.yaml").write_text("task: [unclosed\n")
    (tmp_path / "xcopa.yaml").write_text("task: xcopa\nprofile: lens-paper\nnonsense: 1\n")
    (tmp_path / "_base.yaml").write_text("output_type: multiple_choice\n")
    registry = TaskRegistry([tmp_path])
    assert registry.find("toy", "lm-eval").name == "toy"
    assert {path.name for path in registry.passed_over} == {"_group.yaml", "code.yaml", "broken.yaml", "xcopa.yaml", "_base.yaml"}
    assert all(note.startswith("passed over: ") and str(tmp_path) in note for note in registry.notes())
    # What a broken file would have replaced is not asked in its stead.
    for name, says in (("code", "would run Python code"), ("xcopa", "unknown key 'nonsense'"), ("suite", "a group of lm-eval's")):
        with pytest.raises(UsageError, match=says):
            registry.find(name, "lens-paper")
    with pytest.raises(UsageError, match="a group of lm-eval's"):
        parse_task(tmp_path / "_group.yaml")


def test_a_family_tells_the_language_of_lm_evals_files(tmp_path: Path) -> None:
    plain = "dataset_path: some/rows\ntest_split: test\ndoc_to_text: x\n"
    for name, more, language in (
        ("belebele_zho_Hans", "dataset_name: zho_Hans\n", "zh"),
        ("cmmlu_anatomy", "dataset_name: anatomy\n", "zh"),
        ("kmmlu_law", "dataset_name: Law\n", "ko"),
        ("xcopa_sw", "", "sw"),
        ("mine", "metadata: {language: Swahili}\n", "sw"),
        ("theirs", "dataset_name: sw\n", "sw"),
    ):
        path = tmp_path / f"{name}.yaml"
        path.write_text(f"task: {name}\n{plain}{more}")
        assert list(parse_task(path).file.languages) == [language]
    path = tmp_path / "agieval_lsat_ar.yaml"
    path.write_text(f"task: agieval_lsat_ar\n{plain}")
    with pytest.raises(UsageError, match="cannot tell the language of task 'agieval_lsat_ar'"):
        parse_task(path)

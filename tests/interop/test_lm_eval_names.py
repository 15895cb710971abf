"""lm-eval's names of tasks: what they stand for is the same with and without lm-eval, and borrowed definitions do not decide."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from lensbench.tasks import TaskRegistry
from lensbench.tasks.lm_eval_names import named_task

WITHOUT = """
import json, sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "lm_eval":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocked())
from lensbench.tasks import TaskRegistry
from lensbench.tasks.lm_eval_names import named_task

registry = TaskRegistry()
found = {name: named_task(name, registry) for name in json.load(sys.stdin)}
assert "lm_eval" not in sys.modules
print(json.dumps({name: [place.task, place.language, place.title] for name, place in found.items()}))
"""


def _defined() -> dict[str, tuple[str, str]]:
    """Name of every task that lm-eval's own definitions of our four tasks define -> our task and language."""
    import lm_eval

    home = Path(lm_eval.__file__).parent / "tasks"
    found = {}
    for folder, task in (
        ("xcopa", "xcopa"),
        ("xwinograd", "xwinograd"),
        ("xstorycloze", "xstory_cloze"),
        ("okapi/mmlu_multilingual", "m_mmlu"),
    ):
        for path in sorted((home / folder).glob("*.yaml")):
            named = re.search(r"^task:\s*(\S+)\s*$", path.read_text(encoding="utf-8"), re.M)
            if named and (code := re.fullmatch(r"[a-z_]+_([a-z]{2})", named[1])):
                found[named[1]] = (task, {"jp": "ja"}.get(code[1], code[1]))
    return found


def test_each_definition_is_of_its_own_language() -> None:
    """English's definitions serve Swahili and Korean here, which lm-eval lacks; they stay English's."""
    registry = TaskRegistry()
    known = {(e.name, code) for e in registry.entries() if e.file.profile == "lm-eval" for code in e.file.languages}
    checked = 0
    for name, place in _defined().items():
        if place in known:
            found = named_task(name, registry)
            assert (found.task, found.language) == place, name
            checked += 1
    assert checked >= 40
    assert {named_task(name, registry).language for name in ("xwinograd_en", "xstorycloze_en", "m_mmlu_en")} == {"en"}


def test_names_are_the_same_without_lm_eval() -> None:
    names = [*_defined(), "lensbench_xcopa_zh", "xwinograd_sw", "belebele_zho_Hans", "agieval_lsat_ar", "hellaswag"]
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT], input=json.dumps(names), capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    registry = TaskRegistry()
    found = {name: named_task(name, registry) for name in names}
    assert json.loads(done.stdout) == {name: [place.task, place.language, place.title] for name, place in found.items()}

"""What tests call in a process that is forked does what one started from nothing does; and test modules get what they put off."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from late_imports import bind, imports_put_off
from warm import Warm


@pytest.fixture
def forked(warm: Warm | None) -> Warm:
    if warm is None:
        pytest.skip("processes are started from nothing here")
    return warm


@pytest.mark.parametrize(
    "words", [["--version"], ["ls", "judges", "--json"], ["ls", "judgs"], ["run"], ["show", "nowhere"], []], ids=" ".join
)
def test_the_same_words_and_exit_code(forked: Warm, words: list[str], tmp_path: Path) -> None:
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-m", "lensbench", *words]
    cold = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment, timeout=120)
    done = forked.run(words, tmp_path, environment, 120)
    assert (done.returncode, done.stdout, done.stderr) == (cold.returncode, cold.stdout, cold.stderr)


def test_an_output_that_is_full_is_told(forked: Warm, tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full, (tmp_path / "err").open("w+") as err:
        process = forked.start(["ls", "tasks"], os.environ, full, err)
        assert process.wait(120) != 0


def test_several_at_once_each_with_its_own_end(forked: Warm, tmp_path: Path) -> None:
    with (tmp_path / "out").open("w") as out:
        ended = forked.start(["--version"], os.environ, out, out)
        wrong = forked.start(["ls", "nothing"], os.environ, out, out)
        killed = forked.start(["ls", "tasks"], os.environ, out, out)
        os.kill(killed.pid, signal.SIGKILL)
        assert (wrong.wait(120), ended.wait(120), killed.wait(120)) == (2, 0, -signal.SIGKILL)
        assert killed.poll() == -signal.SIGKILL


MODULE = """
import json
import colorsys as colours
import pytest
import xml.dom.minidom
from late_one import base, value
from late_two import inner as renamed
import late_two.inner as again

class Mine(base):
    pass

def test_x():
    return value, renamed.number, again.number
"""


def test_imports_are_put_off_until_a_test_needs_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "late_one.py").write_text("class base: pass\nvalue = 7\n")
    (tmp_path / "late_two").mkdir()
    (tmp_path / "late_two" / "__init__.py").write_text("")
    (tmp_path / "late_two" / "inner.py").write_text("number = 8\n")
    (tmp_path / "test_late_module.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    with imports_put_off(tmp_path):
        import test_late_module as made
    assert "late_one" in sys.modules, "the base class is needed at once"
    assert not {name for name in sys.modules if name.startswith("late_two")} - before
    bind(made)
    assert made.test_x() == (7, 8, 8) and made.Mine().__class__.__mro__[1].__module__ == "late_one"
    for name in ("test_late_module", "late_one", "late_two", "late_two.inner"):
        del sys.modules[name]


def test_collection_loads_nothing_heavy() -> None:
    """Every process that runs tests collects all of them: torch and its like would be most of that time."""
    code = (
        "import sys, pytest; code = pytest.main(['--co', '-q', '-p', 'no:cacheprovider', 'tests']); "
        "print('loaded', *({'torch', 'transformers', 'lm_eval', 'scipy', 'peft'} & set(sys.modules))); sys.exit(code)"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0 and done.stdout.endswith("loaded\n"), done.stdout[-500:] + done.stderr[-500:]

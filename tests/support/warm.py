"""`lensbench ARGS` in processes forked from one that has imported the libraries: most of a short run's time is their import.

Only other people's packages are imported ahead; lensbench itself is read anew by every process. What a fork shares with its
siblings, and a process started from nothing does not: the seed of Python's string hashes (the fault drills start their processes
from nothing, and compare them bit for bit), and variables that libraries read while they are imported (a call that changes one of
those is started from nothing, see `can_run`). LENSBENCH_TEST_COLD=1 starts every process from nothing.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import random
import resource
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

_LIBRARIES = (
    "torch",
    "torch._dynamo",
    "torch.distributed.tensor",
    "transformers",
    "transformers.modeling_utils",
    "transformers.masking_utils",
    "transformers.generation.utils",
    "transformers.models.auto.modeling_auto",
    "transformers.models.auto.tokenization_auto",
    "transformers.models.llama.modeling_llama",
    "transformers.loss.loss_utils",
    "transformers.optimization",
    "peft",
    "datasets",
    "lm_eval.api.task",
    "lm_eval.api.model",
    "lm_eval.tasks",
    "lm_eval.models.utils",
    "lm_eval.filters",
    "accelerate",
    "openai",
    "openai.types.chat",
    "pandas",
    "pyarrow.parquet",
    "scipy.optimize",
    "sympy",
    "chardet",
    "aiohttp",
    "jinja2",
    "pydantic",
    "safetensors.torch",
    "click",
    "rich.console",
    "rich.table",
    "rich.progress",
    "rich.panel",
    "tenacity",
    "jaxtyping",
)
_FREE = (
    "LENSBENCH_",
    "OPENAI_",
    "OMP_NUM_THREADS",
    "PYTHONPATH",
    "PYTEST_",
    "HF_HUB_OFFLINE",
    "HF_ENDPOINT",
    "HF_HOME",
    "HF_TOKEN",
    "PIP_",
    "TEST_",
    # Read when vLLM is imported, which no test does in a fork.
    "VLLM_",
    # Libraries write these into the process of the tests while they are imported there.
    "TORCHINDUCTOR_CACHE_DIR",
    "HF_XET_HIGH_PERFORMANCE",
    "KMP_DUPLICATE_LIB_OK",
    "KMP_INIT_AT_FORK",
)
"""Beginnings of variables that a forked process can be given: no library reads them while it is imported, or it is told anew."""
_EARLY = {
    "OMP_WAIT_POLICY": "PASSIVE",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "PYDANTIC_DISABLE_PLUGINS": "__all__",
}
"""What lensbench sets before it imports anything, where it is not set: tests that call it in their own process leave it there."""
_REQUEST_BYTES = 1 << 17


class Warm:
    """The process that is forked; it ends with the one that made it."""

    def __init__(self) -> None:
        self._environment = dict(os.environ)
        self.refused = Counter[str]()
        """Variables for which processes were started from nothing, and how many."""
        self._ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            command = [sys.executable, __file__, str(theirs.fileno())]
            self._process = subprocess.Popen(
                command,
                env={**_EARLY, **os.environ, "HF_HUB_OFFLINE": "1"},
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )

    def can_run(self, environment: Mapping[str, str]) -> bool:
        """Whether a call's variables are such that a fork does what a process started from nothing would."""
        before, now = {**_EARLY, **self._environment, "HF_HUB_OFFLINE": "1"}, {**_EARLY, **environment}
        changed = {name for name in {*before, *now} if before.get(name) != now.get(name) and not name.startswith(_FREE)}
        self.refused.update(changed)
        return self._process.poll() is None and not changed

    def start(
        self, args: list[str], environment: Mapping[str, str], out: IO[Any], err: IO[Any], cwd: Path | None = None, **limits: int
    ) -> Forked:
        """Begin a process.

        Args:
            limits: Name of a limit of the module `resource` -> its value.
        """
        what = {"args": args, "cwd": str(cwd or Path.cwd()), "environment": dict(environment), "limits": limits}
        request = json.dumps(what).encode()
        assert len(request) < _REQUEST_BYTES
        reply, theirs = os.pipe()
        try:
            socket.send_fds(self._ours, [request], [out.fileno(), err.fileno(), theirs])
        finally:
            os.close(theirs)
        return Forked(reply)

    def run(
        self, args: list[str], cwd: Path | None, environment: Mapping[str, str], timeout: float
    ) -> subprocess.CompletedProcess[str]:
        """As `subprocess.run` with `capture_output` and `text`."""
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            process = self.start(args, environment, out, err, cwd)
            try:
                code = process.wait(timeout)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                raise
            for stream in (out, err):
                stream.seek(0)
            # A pipe read as text turns every kind of line end into \n.
            said = [stream.read().decode().replace("\r\n", "\n").replace("\r", "\n") for stream in (out, err)]
        return subprocess.CompletedProcess(["lensbench", *args], code, *said)

    def close(self) -> None:
        self._ours.close()
        self._process.wait(timeout=30)


class Forked:
    """A process at work, as `subprocess.Popen` shows one."""

    def __init__(self, reply: int) -> None:
        self._reply = os.fdopen(reply)
        self.pid = int(self._reply.readline())
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Its exit code, or the negative number of the signal that ended it; None while it is at work."""
        if self.returncode is None and select.select([self._reply], [], [], 0)[0]:
            self.returncode = int(self._reply.readline())
            self._reply.close()
        return self.returncode

    def wait(self, timeout: float) -> int:
        if self.returncode is None:
            select.select([self._reply], [], [], timeout)
        code = self.poll()
        if code is None:
            raise subprocess.TimeoutExpired("lensbench", timeout)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)


def _serve(requests: socket.socket) -> dict[str, Any]:
    """Fork for every request, and tell how each ended; returns in the forked process, with what it is to do."""
    poll, at_work = select.poll(), dict[int, tuple[int, int]]()
    poll.register(requests, select.POLLIN)
    while True:
        for ready, _ in poll.poll():
            if ready in at_work:
                pid, reply = at_work.pop(ready)
                poll.unregister(ready)
                _, status = os.waitpid(pid, 0)
                with contextlib.suppress(BrokenPipeError):
                    os.write(reply, f"{os.waitstatus_to_exitcode(status)}\n".encode())
                os.close(reply)
                os.close(ready)
                continue
            content, fds, *_ = socket.recv_fds(requests, _REQUEST_BYTES, 3)
            if not content:
                os._exit(0)
            out, err, reply = fds
            pid = os.fork()
            if pid == 0:
                requests.close()
                for fd in (reply, *at_work, *(theirs for _, theirs in at_work.values())):
                    os.close(fd)
                os.dup2(out, 1)
                os.dup2(err, 2)
                os.close(out)
                os.close(err)
                return dict(json.loads(content))
            os.write(reply, f"{pid}\n".encode())
            watched = os.pidfd_open(pid)
            at_work[watched] = (pid, reply)
            poll.register(watched, select.POLLIN)
            os.close(out)
            os.close(err)


def _leave(code: int) -> None:
    """End as Python does, but do not take apart what is shared with the process this one was forked from: that copies all of it.

    Returns where something is left to be said that only Python's own end says.
    """
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):
        return
    os._exit(code)


def _tell_the_hub(environment: Mapping[str, str]) -> None:
    """What huggingface_hub read while it was imported. Where its files are kept lensbench says itself."""
    from huggingface_hub import constants

    constants.HF_HUB_OFFLINE = environment.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")
    before = constants.ENDPOINT
    constants.ENDPOINT = environment.get("HF_ENDPOINT", before).rstrip("/")
    template = constants.HUGGINGFACE_CO_URL_TEMPLATE
    constants.HUGGINGFACE_CO_URL_TEMPLATE = constants.ENDPOINT + template.removeprefix(before)


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in _LIBRARIES:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    with contextlib.suppress(ImportError):
        # A table of a thousand regular expressions that transformers makes when it first opens a model.
        from transformers.conversion_mapping import get_checkpoint_conversion_mapping

        get_checkpoint_conversion_mapping("llama")
    gc.collect()
    gc.freeze()
    asked = _serve(socket.socket(fileno=int(sys.argv[1])))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    import numpy
    import torch

    environment = asked["environment"]
    before, after = (e.get("PYTHONPATH", "").split(os.pathsep) for e in (os.environ, environment))
    sys.path[:] = [asked["cwd"], *filter(None, after), *(place for place in sys.path[1:] if place not in before)]
    os.environ.clear()
    os.environ.update(environment)
    _tell_the_hub(environment)
    os.chdir(asked["cwd"])
    for name, value in asked["limits"].items():
        resource.setrlimit(getattr(resource, name), (value, value))
    numpy.random.seed()
    random.seed(time.time_ns() ^ os.getpid())
    if "OMP_NUM_THREADS" in os.environ:
        torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    sys.argv = ["lensbench", *asked["args"]]
    try:
        runpy.run_module("lensbench", run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        if ended.code is None or isinstance(ended.code, int):
            _leave((ended.code or 0) & 0xFF)
        raise
    _leave(0)


if __name__ == "__main__":
    main()

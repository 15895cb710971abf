"""Trial loading of a fastText file in a separate process, because a damaged file can crash its C++ code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from lensbench.cache import cache_dir
from lensbench.errors import UnavailableError

__all__ = ["SOUND", "try_in_child"]

SOUND = frozenset(
    {
        "a818b6bd42a628ab47d3dfc1578c7ea615c45381f3494c42535e31e8c4cafc9e",  # GlotLID v3
        "8f3472cfe8738a7b6099e8e999c3cbfae0dcd15696aac7d7738a8039db603e83",  # lid.176.ftz
    }
)
"""SHA-256 of files that are known to be whole, which need no trial."""
_NO_FASTTEXT, _REFUSED = 3, 4
_CODE = """
import resource, sys
size = int(sys.argv[2])
limit = 6 * size + (4 << 30)
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
try:
    import fasttext
except ImportError:
    sys.exit(3)
texts = ["The cat sat on the mat.", "Nairobi ni mji mkuu", "1 2 3", "x" * 500]
texts += ["".join(chr((n * k * 7919) % 0xD000 + 33) if n % 5 else " " for n in range(1, 60)) for k in range(1, 80)]
try:
    model = fasttext.load_model(sys.argv[1])
except Exception as error:
    print((str(error).splitlines() or [type(error).__name__])[0][:160])
    sys.exit(4)
try:
    model.predict("language", k=1)
except Exception:
    # More likely the package than the file: the load that follows says so.
    sys.exit(3)
try:
    for text in texts:
        model.predict(" ".join(text.split()), k=1)
except Exception as error:
    print((str(error).splitlines() or [type(error).__name__])[0][:160])
    sys.exit(4)
"""


def try_in_child(path: Path, digest: str) -> None:
    """Load a model and predict with it in a child process; the result is kept by the file's digest.

    Raises:
        UnavailableError: the child was killed by a signal, ran too long, or could not load the file.
    """
    kept = cache_dir() / "identifiers" / f"{digest}.sound"
    if digest in SOUND or kept.is_file():
        return
    size = path.stat().st_size
    seconds = 60 + size / 20e6
    try:
        done = subprocess.run(
            [sys.executable, "-c", _CODE, str(path), str(size)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=seconds,
            check=False,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
    except subprocess.TimeoutExpired:
        raise UnavailableError(f"{path} hangs fastText ({seconds:.0f} s)", "The file is damaged; fetch it again.") from None
    if done.returncode == _NO_FASTTEXT:
        # The load that follows says what is missing.
        return
    if done.returncode:
        said = done.stdout.decode("utf-8", "replace").strip()
        reason = said if done.returncode == _REFUSED and said else f"it ended with {done.returncode}"
        raise UnavailableError(f"{path} cannot be loaded by fastText: {reason}", "The file is damaged; fetch it again.")
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.touch()
    except OSError:
        # A cache that cannot be written costs the next start a trial, and nothing else.
        return

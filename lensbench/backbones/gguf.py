"""A GGUF file, converted once to a safetensors folder in the cache.

transformers reads GGUF by de-quantising every tensor, which takes far longer than loading safetensors. The folder is keyed by the
SHA-256 of the GGUF file and appears under its name only when complete.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from lensbench.backbones.checkpoint import Checkpoint, file_sha256
from lensbench.backbones.packages import install_command
from lensbench.backbones.registry import Wheel
from lensbench.errors import UnavailableError

__all__ = ["converted"]

_CARD = "lensbench.json"
_FORMAT = 1
"""Raised when the conversion changes, so that older folders are not mistaken for its result."""


def converted(gguf: Path, wheel: Wheel, cache: Path, notify: Callable[[str], None]) -> Checkpoint:
    """The safetensors folder of a GGUF file, made if it is not there yet.

    Raises:
        UnavailableError: the file's SHA-256 is not the one on record, or a package that reads GGUF is missing.
    """
    digest = file_sha256(gguf)
    if digest != wheel.sha256:
        raise UnavailableError(
            f"{gguf.name} of package {wheel.package} has SHA-256 {digest[:16]}…, {wheel.sha256[:16]}… was expected",
            install_command(wheel.package, wheel.version),
        )
    folder = cache / f"{gguf.stem}-{digest[:16]}-v{_FORMAT}"
    if not (folder / _CARD).is_file():
        notify(f"converting {gguf.name} to safetensors (once, about half a minute)")
        cache.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=folder.name + ".", dir=cache))
        try:
            _convert_apart(gguf, partial)
            (partial / _CARD).write_text(json.dumps({"gguf_sha256": digest, "package": f"{wheel.package}=={wheel.version}"}))
            _publish(partial, folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return Checkpoint(folder, "wheel", f"{wheel.package}=={wheel.version}", None, f"gguf:{digest}:v{_FORMAT}")


def _publish(partial: Path, folder: Path) -> None:
    """Rename into place; a folder without a card is the remains of a crash, one with a card a rival's finished work."""
    if folder.exists() and not (folder / _CARD).is_file():
        shutil.rmtree(folder)
    try:
        partial.replace(folder)
    except OSError:
        if not (folder / _CARD).is_file():
            raise


def _convert_apart(gguf: Path, folder: Path) -> None:
    """Convert in a process of its own: what it needs of memory is given back, and does not blur what a fit needs.

    Raises:
        UnavailableError: the conversion failed; its last line is given.
    """
    command = [sys.executable, "-m", "lensbench.backbones.gguf", str(gguf), str(folder)]
    done = subprocess.run(command, env={**os.environ, "TQDM_DISABLE": "1"}, capture_output=True, text=True)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise UnavailableError(f"{gguf.name} could not be converted: {last}", "pip install 'lensbench[engines]'")


def _convert(gguf: Path, folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    quantised = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    # A model that came from GGUF is marked as quantised and refuses to be saved; its tensors are plain fp32.
    config = quantised.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    plain = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    plain.load_state_dict(quantised.state_dict())
    plain.tie_weights()
    plain.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


if __name__ == "__main__":
    _convert(Path(sys.argv[1]), Path(sys.argv[2]))

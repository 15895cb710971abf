"""The GGUF file of the embedded model becomes a safetensors folder once, and only when it is the file on record."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from lensbench.backbones import get_backbone
from lensbench.backbones.gguf import converted
from lensbench.backbones.registry import Wheel
from lensbench.errors import UnavailableError

WHEEL = get_backbone("smollm2-135m").wheel


@pytest.fixture
def gguf() -> Path:
    assert WHEEL is not None
    found = importlib.util.find_spec(WHEEL.module)
    if found is None or not found.submodule_search_locations:
        pytest.skip(f"the package {WHEEL.package} is not installed")
    return Path(found.submodule_search_locations[0]) / WHEEL.file


def test_converted_once(gguf: Path, tmp_path: Path) -> None:
    assert isinstance(WHEEL, Wheel)
    said: list[str] = []
    first = converted(gguf, WHEEL, tmp_path, said.append)
    written = (first.path / "model.safetensors").stat().st_mtime_ns
    again = converted(gguf, WHEEL, tmp_path, said.append)
    assert again == first and len(said) == 1
    assert (again.path / "model.safetensors").stat().st_mtime_ns == written
    assert first.digest.startswith(f"gguf:{WHEEL.sha256}")
    assert [p.name for p in tmp_path.iterdir()] == [first.path.name], "no remains beside the finished folder"


def test_another_file_under_the_name_is_refused(tmp_path: Path) -> None:
    assert WHEEL is not None
    fake = tmp_path / WHEEL.file
    fake.write_bytes(b"GGUF")
    with pytest.raises(UnavailableError, match="was expected"):
        converted(fake, WHEEL, tmp_path / "cache", lambda text: None)


def test_a_file_that_cannot_be_converted_leaves_nothing(tmp_path: Path) -> None:
    assert WHEEL is not None
    import hashlib

    fake = tmp_path / WHEEL.file
    fake.write_bytes(b"GGUF but no more")
    wheel = WHEEL.model_copy(update={"sha256": hashlib.sha256(fake.read_bytes()).hexdigest()})
    with pytest.raises(UnavailableError, match="could not be converted"):
        converted(fake, wheel, tmp_path / "cache", lambda text: None)
    assert list((tmp_path / "cache").iterdir()) == []

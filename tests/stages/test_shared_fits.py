"""Fits that share work: one workshop for each method and backbone, opened where several fits are left."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from lensbench.methods import registry
from lensbench.stages import shared_fits
from lensbench.stages.shared_fits import SharedFits


class Recording:
    """A method that notes when its workshop opens and closes."""

    def __init__(self, name: str, *, fails: bool = False) -> None:
        self.name, self.fails, self.events = name, fails, list[str]()

    def fit(self, *args: Any) -> str:
        return f"{self.name} alone"

    @contextmanager
    def together(self, loaded: Any, jobs: Sequence[tuple[Any, Any]], kept: Any = None) -> Iterator[Any]:
        if self.fails:
            raise ZeroDivisionError("no workshop")
        self.events.append(f"open {loaded.name} {[config for _, config in jobs]}")
        try:
            yield lambda *args: f"{self.name} together"
        finally:
            self.events.append("closed")


class Alone:
    """A method whose fits have nothing in common."""

    name = "alone"

    def fit(self, *args: Any) -> str:
        return "alone"


@pytest.fixture
def methods(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    found = {"one": Recording("one"), "two": Recording("two"), "alone": Alone(), "broken": Recording("broken", fails=True)}
    monkeypatch.setattr(shared_fits, "load_method", found.__getitem__)
    return found


def waiting(*variants: tuple[str, str]) -> dict[str, Any]:
    return {name: (SimpleNamespace(name=name, method=method, config=name), f"data of {name}") for name, method in variants}


def test_a_workshop_is_open_while_its_method_is_fitted(methods: dict[str, Any]) -> None:
    model: Any = SimpleNamespace(name="model")
    with SharedFits(waiting(("a", "one"), ("b", "one"), ("c", "alone"), ("d", "two"))) as fits:
        assert [fits.fit_of(name, model)() for name in "ab"] == ["one together"] * 2
        assert fits.fit_of("c", model)() == "alone"
        assert methods["one"].events == ["open model ['a', 'b']", "closed"]
        # One fit has nobody to share with.
        assert fits.fit_of("d", model)() == "two alone"
    assert methods["two"].events == []


def test_a_backbone_that_was_read_anew_gets_a_workshop_for_what_is_left(methods: dict[str, Any]) -> None:
    first: Any = SimpleNamespace(name="first")
    second: Any = SimpleNamespace(name="second")
    with SharedFits(waiting(("a", "one"), ("b", "one"), ("c", "one"), ("d", "one"))) as fits:
        fits.fit_of("a", first)
        fits.fit_of("b", second)
        assert methods["one"].events == ["open first ['a', 'b', 'c', 'd']", "closed", "open second ['b', 'c', 'd']"]
        assert fits.fit_of("c", second)() == "one together"
    assert methods["one"].events[-1] == "closed"


def test_a_workshop_that_fails_ends_one_fit_in_words(methods: dict[str, Any]) -> None:
    from lensbench.errors import RunError

    model: Any = SimpleNamespace(name="model")
    with SharedFits(waiting(("a", "broken"), ("b", "broken"), ("c", "one"))) as fits:
        with pytest.raises(RunError, match=r"a: preparing 2 fits.*no workshop"):
            fits.fit_of("a", model)
        assert fits.fit_of("b", model)() == "broken alone"
        assert fits.fit_of("c", model)() == "one alone"


def test_lens_has_one() -> None:
    from lensbench.methods.base import SharesFits

    assert isinstance(registry.load_method("lens"), SharesFits) and not isinstance(registry.load_method("xsft"), SharesFits)

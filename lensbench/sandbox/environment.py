"""Jinja for strangers' templates: they reach only the given values, and size and time have limits.

Templates of task files, judges' prompts and whatever else a user may download are rendered here and nowhere else. Jinja's own
sandbox keeps Python's internals out of reach; it does not limit what a template costs, which this does.
"""

from __future__ import annotations

import contextlib
import functools
import re
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from lensbench.errors import UsageError
from lensbench.sandbox.limits import (
    MAX_NUMBER,
    MAX_TEXT,
    check_call,
    check_format,
    check_integers,
    check_length,
    listed,
    measured,
    size_of,
)

__all__ = ["SafeEnvironment", "limited", "render", "task_environment"]

MAX_TEMPLATE = 2**18
"""Characters of a template."""
MAX_STEPS = 200_000
"""Turns of loops and calls while one text is rendered."""
SECONDS = 5.0
"""Of one rendering, where the main thread renders: a regular expression may take for ever on a short text."""

_FORBIDDEN_FILTERS = ("pprint", "urlize", "xmlattr", "random")
_KEEPING = frozenset(
    {
        "list",
        "first",
        "last",
        "length",
        "count",
        "map",
        "select",
        "reject",
        "selectattr",
        "rejectattr",
        "batch",
        "slice",
        "sort",
        "unique",
        "groupby",
        "sum",
        "min",
        "max",
        "random",
        "reverse",
        "items",
        "dictsort",
        "default",
        "d",
        "attr",
        "_counted",
    }
)
"""Filters that write no text of the lists they are given; every other one may."""


class SafeEnvironment(ImmutableSandboxedEnvironment):
    """Jinja's sandbox with limits. Cannot load other templates."""

    intercepted_binops = frozenset({"*", "**", "%", "+"})

    def __init__(self, **options: Any) -> None:
        # Constants are not folded: that would render parts of a template while it is compiled, outside the limits.
        super().__init__(loader=None, optimized=False, **{"finalize": _shown, **options})
        self.globals.pop("lipsum", None)
        for name in _FORBIDDEN_FILTERS:
            self.filters.pop(name, None)
        self.filters = {name: _bounded_filter(name, function) for name, function in self.filters.items()}
        self.filters["regex_replace"] = _regex_replace
        self.filters[_JOINED], self.filters[_COUNTED] = _joined, _counted
        self._steps = threading.local()

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        if len(source) > MAX_TEMPLATE:
            raise jinja2.TemplateSyntaxError(f"longer than {MAX_TEMPLATE} characters", 1)
        tree = super()._parse(source, name, filename)
        found: nodes.Template = _Counting().visit(tree)
        return found

    @contextlib.contextmanager
    def limited(self) -> Iterator[None]:
        """One rendering: its steps are counted, and its time where it is the main thread's.

        Raises:
            SecurityError: it takes more of either.
        """
        self._steps.left = MAX_STEPS
        try:
            with _time_limit():
                yield
        finally:
            del self._steps.left

    def step(self) -> None:
        left = getattr(self._steps, "left", MAX_STEPS) - 1
        if left < 0:
            raise SecurityError(f"it takes more than {MAX_STEPS} steps")
        if hasattr(self._steps, "left"):
            self._steps.left = left

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        if operator == "*":
            for many, count in ((left, right), (right, left)):
                if isinstance(count, int) and hasattr(many, "__len__") and len(many) * count > MAX_TEXT:
                    raise SecurityError(f"it makes a text of more than {MAX_TEXT} characters")
            check_integers(left, right)
        elif operator == "**":
            if abs(right) > 1000 or abs(left) > MAX_NUMBER:
                raise SecurityError("it raises to a power that makes a huge number")
        elif operator == "%" and isinstance(left, str):
            check_format(left, right)
        elif operator == "+" and hasattr(left, "__len__") and hasattr(right, "__len__"):
            check_length(len(left) + len(right))
        return super().call_binop(context, operator, left, right)

    def call(__self, __context: Any, __obj: Any, *args: Any, **kwargs: Any) -> Any:
        __self.step()
        # The sandbox wraps `str.format`; the text is the wrapped method's own.
        bound = getattr(__obj, "__wrapped__", __obj)
        name = getattr(__obj, "__name__", "")
        args = listed(args) if name == "join" else args
        check_call(name, getattr(bound, "__self__", None), args, kwargs)
        result = super().call(__context, __obj, *args, **kwargs)
        if isinstance(result, str | bytes | list | tuple):
            check_length(len(result))
        return result


def limited(template: jinja2.Template) -> contextlib.AbstractContextManager[None]:
    """The limits of one rendering of a template that a `SafeEnvironment` made."""
    environment = template.environment
    assert isinstance(environment, SafeEnvironment)
    return environment.limited()


_JOINED = "_joined"
_COUNTED = "_counted"


class _Counting(NodeTransformer):
    """Puts our own functions where a template joins texts with `~` and where it goes through a loop."""

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:
        self.generic_visit(node)
        parts = nodes.List(node.nodes, lineno=node.lineno)
        return nodes.Filter(parts, _JOINED, [], [], None, None, lineno=node.lineno)

    def visit_For(self, node: nodes.For) -> nodes.Node:
        self.generic_visit(node)
        node.iter = nodes.Filter(node.iter, _COUNTED, [], [], None, None, lineno=node.lineno)
        return node


def _joined(parts: list[Any]) -> str:
    check_length(size_of(parts))
    texts = [str(part) for part in parts]
    check_length(sum(map(len, texts)))
    return "".join(texts)


@jinja2.pass_environment
def _counted(environment: SafeEnvironment, values: Any) -> Any:
    if isinstance(values, jinja2.Undefined):
        return values
    # A loop asks for the length of what it goes through, so a list stays one; it is counted before.
    if isinstance(values, list | tuple | dict | str | range):
        for _ in range(min(len(values), MAX_STEPS + 1)):
            environment.step()
        return values
    return _stepwise(environment, values)


def _stepwise(environment: SafeEnvironment, values: Iterable[Any]) -> Iterator[Any]:
    for value in values:
        environment.step()
        yield value


def _bounded_filter(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def bounded(*args: Any, **kwargs: Any) -> Any:
        args = listed(args) if name == "join" else args
        check_call(name, None, args, kwargs)
        if name not in _KEEPING:
            for value in (*args, *kwargs.values()):
                check_length(size_of(value))
        # What comes one by one, as from `map`, is counted as it comes.
        result = function(*(measured(value) if hasattr(value, "__next__") else value for value in args), **kwargs)
        if isinstance(result, str | list):
            check_length(len(result))
        return result

    return bounded


def _regex_replace(string: str, pattern: str, repl: str, count: int = 0) -> str:
    """lm-eval's filter of this name."""
    if len(repl) * (len(string) + 1) > MAX_TEXT and len(repl) * len(re.findall(pattern, string)) > MAX_TEXT:
        raise SecurityError(f"it makes a text of more than {MAX_TEXT} characters")
    return re.sub(pattern, repl, string, count=count)


def _shown(value: Any) -> Any:
    """The result of a template, checked to be a text that is not too long."""
    if isinstance(value, list | tuple | set | frozenset | dict):
        check_length(size_of(value))
    return value


def _no_null(value: Any) -> Any:
    if value is None:
        raise jinja2.UndefinedError("it shows a value that is null")
    return _shown(value)


@functools.cache
def task_environment() -> SafeEnvironment:
    """What lm-eval renders task templates with, sandboxed. A null is no text: the model would be asked about `None`."""
    return SafeEnvironment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True, finalize=_no_null)


@functools.lru_cache(maxsize=512)
def _compiled(source: str) -> jinja2.Template:
    return task_environment().from_string(source)


def render(source: str, values: Mapping[str, Any]) -> str:
    """A task's template with the columns of a row; takes the place of `lm_eval.utils.apply_template`.

    Raises:
        UsageError: not a template, a value that is not there or null, what the sandbox refuses, or more text or time than it may
            take.
    """
    try:
        with task_environment().limited():
            parts, length = [], 0
            for part in _compiled(source).generate(dict(values)):
                length += len(part)
                check_length(length)
                parts.append(part)
            return "".join(parts)
    except jinja2.TemplateSyntaxError as error:
        raise UsageError(f"template, line {error.lineno}: {error.message}") from None
    except SecurityError as error:
        hint = "Templates may only use the columns of a row and Jinja's own filters."
        raise UsageError(f"template refused: {error}", hint) from None
    except (RecursionError, MemoryError):
        raise UsageError("template refused: nested too deep or too large") from None
    except UsageError:
        raise
    except Exception as error:
        # A template can make Jinja and the types of its values raise nearly anything.
        raise UsageError(f"template: {type(error).__name__}: {error}"[:500]) from None


@contextlib.contextmanager
def _time_limit(seconds: float = SECONDS) -> Iterator[None]:
    """Interrupts what takes too long, in the main thread; a timer that somebody else has set goes on afterwards."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def late(*_: Any) -> None:
        raise SecurityError(f"it takes more than {seconds:g} seconds")

    before = signal.signal(signal.SIGALRM, late)
    began = time.monotonic()
    left, interval = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        if left:
            signal.setitimer(signal.ITIMER_REAL, max(left - (time.monotonic() - began), 0.001), interval)

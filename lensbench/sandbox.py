"""Jinja for templates of a stranger: nothing outside the values given is reachable, and size and time have limits.

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

__all__ = ["SafeEnvironment", "limited", "render", "task_environment"]

MAX_TEMPLATE = 2**18
"""Characters of a template."""
MAX_TEXT = 2**22
"""Characters of a rendered text, and of any string on the way to it."""
MAX_STEPS = 200_000
"""Turns of loops and calls while one text is rendered."""
MAX_NUMBER = 10**6
"""Of a width, a count or an exponent that a template gives to a function."""
SECONDS = 5.0
"""Of one rendering, where the main thread renders: a regular expression may take for ever on a short text."""

_WIDE = frozenset({"center", "ljust", "rjust", "zfill", "expandtabs", "to_bytes", "indent", "wordwrap", "batch", "slice", "round",
                   "tojson", "truncate", "format", "hex"})  # fmt: skip
"""Functions and filters whose result may be as long as a number they are given."""
_FORBIDDEN_FILTERS = ("pprint", "urlize", "xmlattr", "random")
_FORMAT_WIDTH = re.compile(r"\d{6,}|%[-+ #0]*\*|\{[^{}]*\{")
"""In a format string: a long number, or a width taken from an argument."""
_KEEPING = frozenset({"list", "first", "last", "length", "count", "map", "select", "reject", "selectattr", "rejectattr", "batch",
                      "slice", "sort", "unique", "groupby", "sum", "min", "max", "random", "reverse", "items", "dictsort",
                      "default", "d", "attr", "_counted"})  # fmt: skip
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
            _check_integers(left, right)
        elif operator == "**":
            if abs(right) > 1000 or abs(left) > MAX_NUMBER:
                raise SecurityError("it raises to a power that makes a huge number")
        elif operator == "%" and isinstance(left, str):
            _check_format(left, right)
        elif operator == "+" and hasattr(left, "__len__") and hasattr(right, "__len__"):
            _check_length(len(left) + len(right))
        return super().call_binop(context, operator, left, right)

    def call(__self, __context: Any, __obj: Any, *args: Any, **kwargs: Any) -> Any:
        __self.step()
        # The sandbox wraps `str.format`; the text is the wrapped method's own.
        bound = getattr(__obj, "__wrapped__", __obj)
        name = getattr(__obj, "__name__", "")
        args = _listed(args) if name == "join" else args
        _check_call(name, getattr(bound, "__self__", None), args, kwargs)
        result = super().call(__context, __obj, *args, **kwargs)
        if isinstance(result, str | bytes | list | tuple):
            _check_length(len(result))
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
    _check_length(_size(parts))
    texts = [str(part) for part in parts]
    _check_length(sum(map(len, texts)))
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
        args = _listed(args) if name == "join" else args
        _check_call(name, None, args, kwargs)
        if name not in _KEEPING:
            for value in (*args, *kwargs.values()):
                _check_length(_size(value))
        # What comes one by one, as from `map`, is counted as it comes.
        result = function(*(_measured(value) if hasattr(value, "__next__") else value for value in args), **kwargs)
        if isinstance(result, str | list):
            _check_length(len(result))
        return result

    return bounded


def _measured(values: Iterable[Any]) -> Iterator[Any]:
    length = 0
    for value in values:
        length += len(value) if isinstance(value, str | bytes | list | tuple) else 1
        _check_length(length)
        yield value


def _listed(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """What comes one by one as lists, so that the length of what is made of it is known before."""
    return tuple(list(_measured(value)) if hasattr(value, "__next__") else value for value in values)


def _size(value: Any) -> int:
    """About how many characters the text of a value has; counting stops above the limit.

    Raises:
        UndefinedError: a list holds a value that is not there, which its text would show as `Undefined`.
    """
    total, waiting = 0, [value]
    while waiting and total <= MAX_TEXT:
        one = waiting.pop()
        if isinstance(one, str | bytes):
            total += len(one)
        elif isinstance(one, list | tuple | set | frozenset | dict):
            total += 2 * len(one) + 2
            if total <= MAX_TEXT:
                waiting += [*one, *one.values()] if isinstance(one, dict) else one
        elif isinstance(one, jinja2.Undefined) and one is not value:
            str(one)
            raise jinja2.UndefinedError("a list holds a value that is not there")
        else:
            total += max(1, one.bit_length() // 3) if isinstance(one, int) else 1
    return total


def _check_call(name: str, owner: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    given = [*args, *kwargs.values()]
    if name in _WIDE:
        for value in given:
            if isinstance(value, int) and abs(value) > MAX_NUMBER:
                raise SecurityError(f"{name} is given the number {value}" if abs(value) < 10**30 else f"{name}: a huge number")
        if name == "format":
            for text in (owner, *given):
                if isinstance(text, str):
                    _check_format(text, given)
    if name in _PER_MARK:
        _check_per_mark(name, [value for value in (owner, *given) if isinstance(value, _PLAIN)])
    if name == "replace":
        texts = [value for value in (owner, *given) if isinstance(value, str)]
        if len(texts) > 2:
            _check_length((texts[0].count(texts[1]) if texts[1] else len(texts[0]) + 1) * len(texts[2]))
    if name == "join":
        longest = max((len(value) for value in (owner, *given) if isinstance(value, str)), default=0)
        for values in given:
            if isinstance(values, list | tuple | range):
                parts = sum(len(part) for part in values if isinstance(part, str)) if not isinstance(values, range) else 0
                _check_length(parts + longest * len(values))


_PLAIN = (str, bytes, int, list, tuple, dict)
_PER_MARK: dict[str, Callable[[Any], int]] = {
    "indent": lambda text: str(text).count("\n") + 1, "expandtabs": lambda text: str(text).count("\t") + 1,
    "wordwrap": lambda text: _size(text), "translate": lambda text: _size(text), "tojson": lambda value: _size(value),
}  # fmt: skip
"""Functions that put something in at many places of what they are given -> how many places."""


def _check_per_mark(name: str, given: list[Any]) -> None:
    if len(given) < 2:
        return
    places = _PER_MARK[name](given[0])
    for value in given[1:]:
        longest = max(map(_size, value.values()), default=0) if isinstance(value, dict) else _size(value)
        put_in = abs(value) if isinstance(value, int) and name != "wordwrap" else longest
        _check_length(_size(given[0]) + places * put_in)


def _check_format(text: str, values: Any) -> None:
    if _FORMAT_WIDTH.search(text):
        raise SecurityError("a format string with a width of six digits, or one from an argument")
    places = max(text.count("%"), text.count("{"))
    if places > 1:
        widest = max(map(int, re.findall(r"[0-9]+", text)), default=0)
        parts = values if isinstance(values, list | tuple) else [values]
        longest = max((_size(part) for part in parts if part is not text), default=0)
        _check_length(len(text) + places * (longest + widest))


def _check_integers(left: Any, right: Any) -> None:
    if isinstance(left, int) and isinstance(right, int) and left.bit_length() + right.bit_length() > 4096:
        raise SecurityError("a number of more than 4,096 bits")


def _check_length(length: int) -> None:
    if length > MAX_TEXT:
        raise SecurityError(f"it makes a text or list of more than {MAX_TEXT} elements")


def _regex_replace(string: str, pattern: str, repl: str, count: int = 0) -> str:
    """lm-eval's filter of this name."""
    if len(repl) * (len(string) + 1) > MAX_TEXT and len(repl) * len(re.findall(pattern, string)) > MAX_TEXT:
        raise SecurityError(f"it makes a text of more than {MAX_TEXT} characters")
    return re.sub(pattern, repl, string, count=count)


def _shown(value: Any) -> Any:
    """What a template writes, once it is sure to be a text that is not too long."""
    if isinstance(value, list | tuple | set | frozenset | dict):
        _check_length(_size(value))
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
                _check_length(length)
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

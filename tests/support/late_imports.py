"""Test modules are collected without what only their tests need.

torch, transformers, scipy and the package itself take longer to import than all tests take to collect, and every process that
runs tests collects all of them. So while modules are collected, an import at the top of a test module is put off until the first
test of that module is set up, unless something that runs at once needs it: a decorator, a default, a base class, a constant or a
function that one of these names. Modules of the standard library and pytest are imported as always.
"""

from __future__ import annotations

import ast
import builtins
import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

__all__ = ["bind", "imports_put_off"]

_AT_ONCE = sys.stdlib_module_names | {"pytest", "conftest"}


class _Later:
    """What stands for a name until the module's first test."""

    def __init__(self, module: str, path: tuple[str, ...]) -> None:
        self._module, self._path = module, path

    def __getattr__(self, name: str) -> _Later:
        # `from a import b` and `import a.b as c` ask for attributes; nothing else does before `bind`.
        if name.startswith("__"):
            raise AttributeError(name)
        return _Later(self._module, (*self._path, name))

    def found(self) -> Any:
        value: Any = importlib.import_module(self._module)
        if self._path and self._path[0] == "":
            # `import a.b` names a.
            value, self._path = sys.modules[self._module.partition(".")[0]], self._path[1:]
        at = value.__name__
        for name in self._path:
            at = f"{at}.{name}"
            value = getattr(value, name) if hasattr(value, name) else importlib.import_module(at)
        return value


def bind(module: ModuleType) -> None:
    """Import what a test module put off."""
    for name, value in list(vars(module).items()):
        if isinstance(value, _Later):
            setattr(module, name, value.found())


@contextmanager
def imports_put_off(folder: Path) -> Iterator[None]:
    """Test modules below a folder that are imported meanwhile put off what only their tests need."""
    genuine, lines = builtins.__import__, dict[str, set[int]]()

    def put_off(name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0) -> Any:
        frame: FrameType = sys._getframe(1)
        path = frame.f_code.co_filename
        if level or frame.f_code.co_name != "<module>" or not Path(path).name.startswith("test_"):
            return genuine(name, globals, locals, fromlist, level)
        if path not in lines:
            lines[path] = _put_off_lines(Path(path).read_text(encoding="utf-8")) if folder in Path(path).parents else set()
        if frame.f_lineno not in lines[path]:
            return genuine(name, globals, locals, fromlist, level)
        return _Later(name, () if fromlist else ("",))

    builtins.__import__ = put_off
    try:
        yield
    finally:
        builtins.__import__ = genuine


def _put_off_lines(source: str) -> set[int]:
    """First lines of the imports at the top of a module that nothing needs while the module is imported."""
    tree = ast.parse(source)
    functions = {node.name: node for node in tree.body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))}
    needed, todo = set[str](), [name for node in tree.body for name in _names_at_once(node)]
    while todo:
        name = todo.pop()
        if name not in needed:
            needed.add(name)
            if name in functions:
                todo += [name for part in functions[name].body for name in _names_at_once(part)]
    lines = set()
    for node in tree.body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            module = (node.module if isinstance(node, ast.ImportFrom) else node.names[0].name) or ""
            bound = {alias.asname or alias.name.partition(".")[0] for alias in node.names}
            if module.partition(".")[0] not in _AT_ONCE and not bound & needed:
                lines.add(node.lineno)
    return lines


def _names_at_once(node: ast.AST) -> Iterator[str]:
    """Names that are looked up when a statement runs; annotations are text."""
    if isinstance(node, ast.Name):
        yield node.id
    elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
        for part in (*getattr(node, "decorator_list", ()), *node.args.defaults, *node.args.kw_defaults):
            if part is not None:
                yield from _names_at_once(part)
    elif isinstance(node, ast.AnnAssign):
        yield from _names_at_once(node.value) if node.value is not None else ()
    else:
        for part in ast.iter_child_nodes(node):
            yield from _names_at_once(part)

"""`lensbench ls`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

_KINDS = ("methods", "engines", "backbones", "tasks", "languages", "profiles", "judges")


@click.command()
@click.argument("kind", metavar="|".join(_KINDS))
@click.option("--include-path", "include", multiple=True, type=click.Path(path_type=Path), help="Further task folder.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def command(kind: str, include: tuple[Path, ...], as_json: bool) -> None:
    """List what can be named.

    \b
    Examples:
      lensbench ls tasks
      lensbench ls languages --json
    """
    from lensbench.cli.render import print_json, print_table
    from lensbench.errors import unknown_name

    if kind not in _KINDS:
        raise unknown_name("listing", kind, _KINDS)
    rows = _rows(kind, include)
    if as_json:
        print_json(rows)
    else:
        print_table(list(rows[0]), [[_cell(v) for v in row.values()] for row in rows])


def _rows(kind: str, include: tuple[Path, ...]) -> list[dict[str, Any]]:
    if kind == "methods":
        from lensbench.methods import BrokenPlugin, methods

        return [
            {"name": m.name, "kind": "broken", "needs": [], "changes": m.reason, "source": None, "origin": m.origin}
            if isinstance(m, BrokenPlugin)
            else {name: getattr(m, name) for name in ("name", "kind", "needs", "changes", "source", "origin")}
            for m in methods().values()
        ]
    if kind == "backbones":
        from lensbench.backbones import backbones

        return [
            {
                "name": b.backbone,
                "title": b.title,
                "hub": b.hub,
                "revision": b.revision,
                "system_text": b.system_text,
                "presets": sorted(b.presets),
            }
            for b in backbones().values()
        ]
    if kind == "languages":
        from lensbench.languages import add_languages, languages

        add_languages(include)
        shown = ("code", "name", "native", "script", "direction", "glotlid", "codes")
        return [language.model_dump(mode="json", include=set(shown)) for language in languages().values()]
    if kind == "judges":
        return _judges()
    if kind == "engines":
        return _engines()
    from lensbench.tasks import TaskRegistry

    registry = TaskRegistry(include)
    if kind == "profiles":
        return [
            {
                "name": p.profile,
                "title": p.title,
                "chat": p.chat,
                "scoring": p.scoring,
                "sample": p.sample.model_dump() if p.sample else None,
            }
            for p in registry.profiles.values()
        ]
    return [
        {
            "name": e.name,
            "profile": e.file.profile,
            "title": e.file.title or e.name,
            "rows": e.file.rows,
            "languages": sorted(e.file.languages),
        }
        for e in registry.entries()
    ]


def _engines() -> list[dict[str, Any]]:
    from lensbench.engines.registry import engines
    from lensbench.plugins import BrokenPlugin

    return [
        {
            "name": e.name,
            "title": f"cannot be used: {e.reason}" if isinstance(e, BrokenPlugin) else e.title,
            "broken": isinstance(e, BrokenPlugin),
            "ranks": None if isinstance(e, BrokenPlugin) else e.divides_work,
            "options": [] if isinstance(e, BrokenPlugin) else e.options,
            "install": None if isinstance(e, BrokenPlugin) else e.extra,
            "origin": e.origin,
        }
        for e in engines().values()
    ]


def _judges() -> list[dict[str, Any]]:
    from lensbench.grading.judge.registry import judges, read_judge, shown_url

    found = [(path, read_judge(path)) for path in judges().values()]
    return [
        {
            "name": j.judge,
            "title": j.title,
            "model": j.model or "--model",
            "server": shown_url(j.endpoint.base_url),
            "prices": str(j.prices.date) if j.prices else None,
            "file": str(path),
        }
        for path, j in found
    ]


def _cell(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    if isinstance(value, dict):
        return ", ".join(f"{k}: {'/'.join(v) if isinstance(v, list) else v}" for k, v in value.items())
    return "" if value is None else str(value)

"""What the site needs beyond the pages: README.md as its first page, and links that leave docs/ led to the repository."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
_LINK = re.compile(r"\]\((?P<target>[^)#\s]+)(?P<anchor>#[^)]*)?\)")


def on_files(files: Files, config: Any) -> Files:
    """README.md is the first page."""
    files.append(File.generated(config, "index.md", content=_from_root((ROOT / "README.md").read_text(encoding="utf-8"))))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Links to files outside docs/, such as examples, are shown as plain paths: a site has no such pages."""
    return _LINK.sub(
        lambda m: m[0] if not m["target"].startswith("../") else f"] (`{m['target'].removeprefix('../')}`)", markdown
    )


def _from_root(text: str) -> str:
    def rewritten(match: re.Match[str]) -> str:
        target, anchor = match["target"], match["anchor"] or ""
        if "://" in target:
            return match[0]
        if target.startswith("docs/"):
            return f"]({target.removeprefix('docs/')}{anchor})"
        return f"](../{target}{anchor})"

    return _LINK.sub(rewritten, text)

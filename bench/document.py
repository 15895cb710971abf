"""Write the tables of docs/performance.md from the benchmarks' JSON; the text around them is left alone.

make bench                                        # measures, then calls this
python bench/document.py
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import generation
import lens
import scoring

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
TABLES: dict[str, ModuleType] = {"scoring": scoring, "lens": lens, "generation": generation}


def table(name: str, found: dict[str, Any]) -> str:
    """Machine and rows of one benchmark as Markdown."""
    about = found["machine"]
    source = TABLES[name]
    head = f"{about['processor']}, {about['cores']} cores, load {about['load']:.1f}, torch {about['torch']}, {about['date']}."
    return "\n".join([head, "", source.HEAD, *map(source.line, found["rows"])])


def written(page: str, tables: dict[str, str]) -> str:
    """The page with tables between their marks.

    Raises:
        SystemExit: the page has no place for one.
    """
    for name, text in tables.items():
        begin, end = f"<!-- bench: {name} -->", f"<!-- end of bench: {name} -->"
        if begin not in page or end not in page:
            raise SystemExit(f"{PAGE} has no place between '{begin}' and '{end}'")
        before, _, rest = page.partition(begin)
        page = f"{before}{begin}\n{text}\n{end}{rest.partition(end)[2]}"
    return page


def main() -> int:
    files = {name: Path(__file__).with_name(f"{name}.json") for name in TABLES}
    tables = {name: table(name, json.loads(file.read_text())) for name, file in files.items() if file.is_file()}
    PAGE.write_text(written(PAGE.read_text(), tables))
    print(f"{PAGE}: {', '.join(tables) or 'nothing measured yet'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Task files of a stranger, and how they are validated."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ROW = {"q": "Wapi?", "a": "Hapa", "b": "Kule", "label": 0}


ROWS = """\
rows: toy
splits: {test: null}
columns: {q: {type: text}, a: {type: str}, b: {type: str}, label: {type: int}, hint: {type: str, optional: true}}
licence: Apache-2.0
provenance: model-written
citation: none
"""


TASK = """\
task: toy
profile: lm-eval
rows: [toy]
output_type: multiple_choice
test_split: test
doc_to_text: "{{ q }}"
doc_to_choice: "{{ [a, b] }}"
doc_to_target: label
metric_list: [{metric: acc, aggregation: mean, higher_is_better: true}]
metadata: {version: 1.0}
languages: {sw: {}}
"""


def write(home: Path, task: str = TASK, rows: list[dict[str, Any]] | None = None) -> Path:
    """A task folder with its data; returns the task file."""
    (home / "rows").mkdir(parents=True)
    (home / "rows" / "toy.yaml").write_text(ROWS, encoding="utf-8")
    place = home / "data" / "toy" / "sw"
    place.mkdir(parents=True)
    found = rows if rows is not None else [{**ROW, "q": f"Wapi {i}?", "a": f"Hapa {i}"} for i in range(4)]
    (place / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in found), encoding="utf-8")
    path = home / "toy.yaml"
    path.write_text(task, encoding="utf-8")
    return path


def findings(home: Path) -> list[tuple[str, str]]:
    from lensbench.datasets.sources import Folder
    from lensbench.tasks.lint import lint

    return [(found.level, found.message) for found in lint([home / "toy.yaml"], Folder(home / "data"))]


def errors(home: Path) -> str:
    return "\n".join(message for level, message in findings(home) if level == "error")


ATTACKS = (
    "{{ cycler.__init__.__globals__.os.system('touch %s') }}",
    "{{ self.__init__.__globals__.__builtins__.open('%s', 'w') }}",
    "{{ joiner.__init__.__globals__['os'].system('touch %s') }}",
    "{{ (q|attr('__class__')).__mro__[1].__subclasses__() }}",
    "{{ q.__class__ }}",
    "{{ ''['__class__'] }}",
    "{{ [q]|map(attribute='__class__.__mro__')|list|first|first }}",
    "{{ '{0.__class__.__mro__}'.format(q) }}",
    "{{ '{x.__class__}'.format_map({'x': q}) }}",
    "{% import 'os' as os %}{{ os.name }}",
    "{% include '/etc/passwd' %}",
    "{% extends '/etc/passwd' %}",
)


COSTLY = (
    "{{ 'a' * 10**9 }}",
    "{{ 'a' * 1000000000 }}",
    "{% for i in range(10**12) %}x{% endfor %}",
    "{% for i in range(99999) %}{% for j in range(99999) %}x{% endfor %}{% endfor %}",
    "{% set n = namespace(x='a') %}{% for i in range(99) %}{% set n.x = n.x ~ n.x %}{% endfor %}{{ n.x }}",
    "{% set n = namespace(x=[1]) %}{% for i in range(99) %}{% set n.x = n.x + n.x %}{% endfor %}{{ n.x }}",
    "{{ 'a'|center(10**9) }}",
    "{{ 'a'.ljust(10**9) }}",
    "{{ '%1000000000d' % 1 }}",
    "{{ '{:1000000000}'.format(1) }}",
    "{{ '{:{}}'.format(1, 10**9) }}",
    "{{ 9**9**9 }}",
    "{{ ('a' * 10**6).replace('a', 'b' * 10**6) }}",
    "{{ ''.join(['a' * 10**6] * 10**4) }}",
    "{{ range(99999)|map('string')|map('center', 99999)|join }}",
    "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}",
    "{% if 1 %}" * 300 + "{% endif %}" * 300,
    "{{ lipsum(10**6) }}",
    "{{ ('%99999d' * 40000) % ((1,) * 40000) }}",
    "{{ ('%s' * 1000) % (('x' * 4000000,) * 1000) }}",
    "{{ ('{:99999}' * 40000).format(*range(40000)) }}",
    "{{ ('{0}' * 1000).format('x' * 4000000) }}",
    "{{ ('{0!r:>99999}' * 100000).format(1) }}",
    "{{ [[1] * 4000000] * 4000000 }}",
    "{{ ([[1] * 4000] * 4000000)|string|length }}",
    "{{ [[1] * 4000] * 4000000 ~ '' }}",
    "{{ ('a\\n' * 100000)|indent(999999) }}",
    "{{ ('\\t' * 100000).expandtabs(999999) }}",
    "{{ ('x y ' * 100000)|wordwrap(1, wrapstring='x' * 4000000) }}",
    "{{ range(99999)|map('string')|join('x' * 4000000) }}",
    "{{ ('x' * 4000000).join(range(99999)|map('string')) }}",
    "{{ ('x' * 4000000).translate({120: 'y' * 4000000}) }}",
    "{{ ('x' * 1000000)|list|tojson(indent=99999)|length }}",
)

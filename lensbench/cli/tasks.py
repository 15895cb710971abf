"""`lensbench tasks`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from lensbench.cli.flags import with_flags
from lensbench.cli.terminal import echo
from lensbench.errors import UnavailableError, UsageError


def _places(include: tuple[Path, ...], data: str | None) -> list[Path]:
    """Folders that may hold a `languages.yaml`."""
    from lensbench.datasets.sources import EMBEDDED

    return [*include, *([Path(data)] if data and data != EMBEDDED else [])]


@contextlib.contextmanager
def _engines() -> Iterator[None]:
    """Says which extra is missing, where one is."""
    try:
        yield
    except ImportError as error:
        raise UnavailableError(f"the package '{error.name}' is missing", "pip install 'lensbench[engines]'") from None


@click.group()
def command() -> None:
    """Validate, describe or export tasks."""


@command.command()
@click.argument("path", required=False, type=click.Path(path_type=Path))
@click.option("--data", metavar="DIR|embedded", help="Where the rows of sample items come from.  [default: embedded]")
@click.option("--trust-tasks", "trust", is_flag=True, help="Let Python code that task files name run.")
@click.option("--trust", "trust_old", is_flag=True, hidden=True)
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def validate(path: Path | None, data: str | None, trust: bool, trust_old: bool, as_json: bool) -> None:
    """Lint task files: keys, languages, splits, rendered items, gold answers, version, provenance. PATH is a file or a folder.

    \b
    Examples:
      lensbench tasks validate
      lensbench tasks validate my-tasks/ --data ~/lensbench-data
    """
    from lensbench.cli.render import print_json
    from lensbench.content import content_dir
    from lensbench.datasets.sources import EMBEDDED, Chain, open_data
    from lensbench.languages import LANGUAGES_FILE, add_languages
    from lensbench.quiet import quiet_libraries
    from lensbench.tasks.lint import lint

    with _engines():
        quiet_libraries()
    folder = path or content_dir("tasks")
    add_languages(_places((folder,), data))
    paths = sorted(one for one in folder.glob("*.yaml") if one.name != LANGUAGES_FILE) if folder.is_dir() else [folder]
    if not paths:
        raise UsageError(f"no .yaml files in {folder}")
    source = open_data(data or EMBEDDED)
    if isinstance(source, Chain):
        source = source.sources[0]  # a sample item is not worth a download
    findings = []
    for finding in lint(paths, source, trust=trust or trust_old):
        findings.append(finding)
        if not as_json:
            echo(f"{finding.level:7} {finding.path.name}: {with_flags(finding.message)}")
    if as_json:
        print_json([{"path": str(f.path), "level": f.level, "message": with_flags(f.message)} for f in findings])
    errors = sum(f.level == "error" for f in findings)
    if errors:
        raise UsageError(f"{errors} error{'s' if errors > 1 else ''} in {len(paths)} file{'s' if len(paths) > 1 else ''}")


@command.command()
@click.argument("task")
@click.option("-l", "--language", required=True, metavar="CODE")
@click.option("-p", "--profile", default="lens-paper", show_default=True)
@click.option("-b", "--backbone", default="smollm2-135m", show_default=True, help="Whose tokenizer and chat template are used.")
@click.option("--data", metavar="DIR|embedded", help="Where the row comes from.  [default: embedded]")
@click.option("--item", type=click.IntRange(min=1), default=1, show_default=True, help="Which item, in the profile's order.")
@click.option("--include-path", "include", multiple=True, type=click.Path(path_type=Path))
@click.option("--trust-tasks", "trust", is_flag=True, help="Let Python code that task files name run.")
@click.option("--trust", "trust_old", is_flag=True, hidden=True)
def describe(
    task: str,
    language: str,
    profile: str,
    backbone: str,
    data: str | None,
    item: int,
    include: tuple[Path, ...],
    trust: bool,
    trust_old: bool,
) -> None:
    """Show an item as the model sees it: text, token ids at both ends, and the number of BOS tokens.

    \b
    Example:
      lensbench tasks describe xcopa --language zh
    """
    from lensbench.quiet import quiet_libraries

    with _engines():
        quiet_libraries()
        from lensbench.engines.describe import describe_item
    from lensbench.backbones import get_backbone
    from lensbench.backbones.resolve import find_checkpoint
    from lensbench.datasets.sources import EMBEDDED, open_data
    from lensbench.languages import add_languages, get_language
    from lensbench.tasks import TaskRegistry, resolve

    add_languages(_places(include, data))
    registry = TaskRegistry(include, trust=trust or trust_old)
    entry = registry.find(task, profile)
    resolved = resolve(entry, get_language(language).code, registry.profile(entry.file.profile))
    base = get_backbone(backbone)
    checkpoint = find_checkpoint(base, notify=lambda text: echo(text, err=True))
    for line in describe_item(resolved, open_data(data or EMBEDDED), base, checkpoint, item - 1):
        echo(line)


@command.command()
@click.argument("tasks", nargs=-1)
@click.option(
    "--to", "folder", required=True, type=click.Path(path_type=Path), metavar="DIR", help="Folder for the lm-eval YAML."
)
@click.option("-p", "--profile", default="lens-paper", show_default=True)
@click.option("-l", "--languages", metavar="CODES", help="Languages, by comma; default: all that can be exported.")
@click.option(
    "--data",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Name files of this data folder instead of the hub.",
)
@click.option("--include-path", "include", multiple=True, type=click.Path(path_type=Path), help="Further task folder.")
@click.option("--trust-tasks", "trust", is_flag=True, help="Let Python code that task files name run.")
@click.option("--trust", "trust_old", is_flag=True, hidden=True)
def export(
    tasks: tuple[str, ...],
    folder: Path,
    profile: str,
    languages: str | None,
    data: Path | None,
    include: tuple[Path, ...],
    trust: bool,
    trust_old: bool,
) -> None:
    """Write tasks as lm-eval YAML, one file per language.

    \b
    Examples:
      lensbench tasks export xcopa --to exported/ --languages zh,sw
      lm_eval --model hf --model_args pretrained=MODEL --include_path exported/ --tasks lensbench_xcopa_zh --apply_chat_template
    """
    from lensbench.languages import add_languages, get_language
    from lensbench.tasks import TaskRegistry, resolve
    from lensbench.tasks.export import export_task

    add_languages(_places(include, str(data) if data else None))
    registry = TaskRegistry(include, trust=trust or trust_old)
    wanted = [get_language(c.strip()).code for c in languages.split(",") if c.strip()] if languages else None
    written, refused = [], []
    for name in tasks or [n for n in registry.names() if n not in ("open_questions", "multiq")]:
        entry = registry.find(name, profile)
        for code in wanted or sorted(entry.file.languages):
            task: Any = resolve(entry, code, registry.profile(entry.file.profile))
            try:
                written.append(export_task(task, folder, data))
            except UsageError as error:
                if wanted:
                    raise
                refused.append(with_flags(error.message))
    for path in written:
        echo(path)
    for message in refused:
        echo(f"not exported: {message}", err=True)
    if not written:
        raise UsageError("nothing was exported", refused[0] if refused else None)

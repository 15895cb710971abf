"""`lensbench tasks`."""

from __future__ import annotations

from pathlib import Path

import click

from lensbench.cli.flags import with_flags
from lensbench.cli.include_option import include_option
from lensbench.cli.terminal import echo, split_names
from lensbench.errors import UsageError


@click.group()
def command() -> None:
    """Validate, describe, show or export tasks."""


@command.command()
@click.argument("path", required=False, type=click.Path(path_type=Path))
@click.option("--data", metavar="DIR|embedded", help="Source of the rows for sample items.  [default: embedded]")
@click.option(
    "--include-path",
    "include",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Additional folder with languages, profiles and row definitions; may be repeated.",
)
@click.option("--trust-tasks", "trust", is_flag=True, help="Allow Python code that task files name with !function.")
@click.option("--trust", "trust_old", is_flag=True, hidden=True)
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def validate(path: Path | None, data: str | None, include: tuple[Path, ...], trust: bool, trust_old: bool, as_json: bool) -> None:
    """Lint task files: keys, languages, splits, rendered items, gold answers, version, provenance. PATH is a file or a folder.

    \b
    Examples:
      lensbench tasks validate
      lensbench tasks validate my-tasks/ --data ~/lensbench-data
    """
    from lensbench.api import lint_tasks, task_files
    from lensbench.cli.render import print_json

    findings = []
    for finding in lint_tasks(path, data=data, include=include, trust_tasks=trust or trust_old):
        findings.append(finding)
        if not as_json:
            echo(f"{finding.level:7} {finding.path.name}: {with_flags(finding.message)}")
    if as_json:
        print_json([{"path": str(f.path), "level": f.level, "message": with_flags(f.message)} for f in findings])
    errors = sum(f.level == "error" for f in findings)
    if errors:
        paths = task_files(path)
        raise UsageError(f"{errors} error{'s' if errors > 1 else ''} in {len(paths)} file{'s' if len(paths) > 1 else ''}")


@command.command()
@click.argument("task")
@click.option("-l", "--language", required=True, metavar="CODE")
@click.option("-p", "--profile", default="lens-paper", show_default=True)
@click.option(
    "-b", "--backbone", default="smollm2-135m", show_default=True, help="Model whose tokenizer and chat template are used."
)
@click.option("--data", metavar="DIR|embedded", help="Source of the row.  [default: embedded]")
@click.option(
    "--item", type=click.IntRange(min=1), default=1, show_default=True, help="Number of the item, in the profile's order."
)
@click.option("--include-path", "include", multiple=True, type=click.Path(path_type=Path))
@click.option("--trust-tasks", "trust", is_flag=True, help="Allow Python code that task files name with !function.")
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
    from lensbench.api import describe_item

    for line in describe_item(
        task,
        language,
        profile=profile,
        backbone=backbone,
        data=data,
        item=item,
        include=include,
        trust_tasks=trust or trust_old,
        notify=lambda text: echo(text, err=True),
    ):
        echo(line)


@command.command()
@click.argument("task")
@click.option("-p", "--profile", help="One profile of the task.  [default: all]")
@include_option
@click.option("--json", "as_json", is_flag=True, help="Print name, profile, path and text as JSON.")
def show(task: str, profile: str | None, include: tuple[Path, ...], as_json: bool) -> None:
    """Print the YAML file of a task, with its path as a comment; one file per profile.

    \b
    Example:
      lensbench tasks show xcopa --profile lens-paper > my-tasks/xcopa.lens-paper.yaml
    """
    from lensbench.api import show_task
    from lensbench.cli.render import print_json

    found = show_task(task, profile=profile, include=include)
    if as_json:
        print_json(found)
        return
    for place, one in enumerate(found):
        echo(("---\n" if place else "") + f"# {one['path']}\n{one['text']}".rstrip("\n"))


@command.command()
@click.argument("tasks", nargs=-1)
@click.option(
    "--to",
    "folder",
    required=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder to write lm-eval's YAML files to.",
)
@click.option("-p", "--profile", default="lens-paper", show_default=True)
@click.option("-l", "--languages", metavar="CODES", help="Languages, separated by commas. Default: all that can be exported.")
@click.option(
    "--data",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Refer to files of this data folder instead of the hub.",
)
@include_option
@click.option("--trust-tasks", "trust", is_flag=True, help="Allow Python code that task files name with !function.")
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
    from lensbench.api import export_tasks

    written, refused = export_tasks(
        folder,
        tasks=tasks,
        profile=profile,
        languages=split_names(languages) if languages else None,
        data=data,
        include=include,
        trust_tasks=trust or trust_old,
    )
    for path in written:
        echo(path)
    for message in refused:
        echo(f"not exported: {with_flags(message)}", err=True)

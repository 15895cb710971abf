"""`lensbench import-lm-eval`."""

from __future__ import annotations

from pathlib import Path

import click

from lensbench.cli.flags import with_flags
from lensbench.cli.terminal import echo


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="[NAME=]RESULTS [...]")
@click.option("--to", "target", required=True, type=click.Path(path_type=Path), metavar="RUN", help="Run folder to write.")
@click.option(
    "--language",
    "languages",
    multiple=True,
    metavar="TASK=CODE",
    help="Language of a task whose file does not name one; may be repeated.",
)
def command(sources: tuple[str, ...], target: Path, languages: tuple[str, ...]) -> None:
    """Turn results and samples files of lm-evaluation-harness into a run: the first model is `base`, others are compared with it.

    RESULTS is a folder that lm-eval wrote with --output_path and --log_samples, or one results_*.json.

    \b
    Examples:
      lensbench import-lm-eval out/meta-llama__Llama-3-8B mine=out/my-model --to RUN
      lensbench report RUN
    """
    from lensbench.api import import_lm_eval
    from lensbench.errors import UsageError

    named: list[tuple[str | None, Path]] = []
    for source in sources:
        name, equals, path = source.partition("=")
        named.append((name, Path(path)) if equals and not Path(source).exists() else (None, Path(source)))
    told = {}
    for language in languages:
        task, equals, code = language.partition("=")
        if not equals or not task or not code:
            raise UsageError(f"--language {language}: not TASK=CODE", "Example: --language hellaswag=en")
        told[task] = code
    found = import_lm_eval(named, target, languages=told)
    for name, model in found.variants.items():
        echo(f"{name}: {model}")
    for note in found.notes:
        echo(f"! not available: {with_flags(note)}", err=True)
    echo(f"{found.items} items in {target}")

"""`lensbench cache`."""

from __future__ import annotations

import click

from lensbench.cli.terminal import echo


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print the contents as JSON.")
@click.pass_context
def command(context: click.Context, as_json: bool) -> None:
    """Show the finished work that runs share: scores, answers, identified languages and fits.

    A run takes from it what an earlier run has finished in the same way. `lensbench run --no-cache` does all work anew.

    \b
    Examples:
      lensbench cache
      lensbench cache --json
      lensbench cache path
      lensbench cache clear --older-than 30d
      lensbench cache clear --kind scores --kind answers
    """
    if context.invoked_subcommand is not None:
        return
    from lensbench.api import cache_contents
    from lensbench.cli.render import print_json, print_view

    contents = cache_contents()
    if as_json:
        print_json(contents.as_dict())
    else:
        print_view(contents.view())


@command.command()
@click.option(
    "--kind", "kinds", multiple=True, metavar="KIND", help="scores, answers, identified, noise, fits, states; may be repeated."
)
@click.option("--older-than", metavar="DURATION", help="Remove only what was not used for so long, such as 30d, 12h or 2w.")
def clear(kinds: tuple[str, ...], older_than: str | None) -> None:
    """Remove finished work. Run folders stay as they are; a later run computes again what it needs.

    \b
    Examples:
      lensbench cache clear
      lensbench cache clear --older-than 30d
      lensbench cache clear --kind fits
    """
    from lensbench.api import clear_cache

    number, size = clear_cache(kinds, older_than=older_than)
    echo(f"{number:,} files removed, {size:,} bytes")


@command.command()
def path() -> None:
    """Print the folder of the finished work.

    \b
    Example:
      lensbench cache path
    """
    from lensbench.api import cache_folder

    echo(str(cache_folder()))

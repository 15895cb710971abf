"""The command line: parses, calls one function, renders. Nothing heavy is imported until a command needs it."""

from __future__ import annotations

import errno
import os
import signal
import sys
from importlib import import_module
from types import FrameType
from typing import Any

import click

from lensbench.cli.flags import error_text
from lensbench.cli.terminal import echo
from lensbench.errors import LensbenchError, UsageError, nearest
from lensbench.extras import missing_package
from lensbench.printable import printable
from lensbench.version import __version__

__all__ = ["cli", "main"]

_COMMANDS = {
    "run": ("lensbench.cli.run", "Fit a method, score base and enhanced model, print the table."),
    "fetch": ("lensbench.cli.fetch", "Download what a run reads from the hub, for machines without a network."),
    "judge": ("lensbench.cli.judge", "Grade the answers of a run with a language model as judge."),
    "fidelity": ("lensbench.cli.fidelity", "Identify the language of the answers of a run."),
    "calibrate": ("lensbench.cli.calibrate", "Check a judge: agreement, length, language."),
    "merge": ("lensbench.cli.merge", "Write an enhanced variant as a plain model folder."),
    "show": ("lensbench.cli.show", "Show the table of a run."),
    "compare": ("lensbench.cli.compare", "Compare two runs item by item."),
    "report": ("lensbench.cli.report", "Write one HTML file: tables, figures and every item of one or several runs."),
    "figure": ("lensbench.cli.figure", "Draw a figure for a paper: bars per language, sweeps, matrices, hidden states."),
    "project": ("lensbench.cli.project", "Read hidden states in the subspaces of LENS, for `figure pca`."),
    "table": ("lensbench.cli.table", "Make a paper's table of runs: Markdown, LaTeX, CSV or HTML."),
    "results": ("lensbench.cli.results", "Write the items and cells of a run as Parquet files."),
    "ls": ("lensbench.cli.ls", "List methods, backbones, tasks, languages, profiles or judges."),
    "tasks": ("lensbench.cli.tasks", "Validate, describe or export tasks."),
    "import-lm-eval": ("lensbench.cli.import_lm_eval", "Turn results of lm-evaluation-harness into a run."),
    "data": ("lensbench.cli.data", "Turn original release files into a data folder."),
    "cache": ("lensbench.cli.cache", "Show or clear the finished work that runs share."),
    "doctor": ("lensbench.cli.doctor", "Check what this machine has and what is missing."),
}
"""Command -> (module, one line). A module is imported when its command is called; it holds a click command `command`."""


_OF_A_PATH = frozenset(
    {errno.ENAMETOOLONG, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.EINVAL}
)


def _check_word(word: str) -> None:
    """Refuse what no file name, and no text that is written, can hold.

    Raises:
        UsageError: a NUL, or half of a surrogate pair.
    """
    try:
        os.fsencode(word)
    except UnicodeEncodeError:
        raise UsageError(f"'{printable(word)[:80]}' holds half of a surrogate pair, which is not a character") from None
    if "\0" in word:
        raise UsageError(f"'{printable(word)[:80]}' holds a NUL character")


class _LazyGroup(click.Group):
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        for word in args:
            _check_word(word)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except OSError as error:
            # A path of the user's that no reader expected to be so; whatever else the system refuses keeps its traceback.
            if error.errno not in _OF_A_PATH or error.filename is None:
                raise
            shown = printable(str(error.filename), one_line=True)
            shown = shown if len(shown) <= 120 else f"{shown[:100]}… ({len(shown)} characters)"
            raise UsageError(f"{shown}: {error.strerror}", "Name a path that this user can read or write.") from None

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        command: click.Command = import_module(_COMMANDS[name][0]).command
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in _COMMANDS:
            close = nearest(args[0], _COMMANDS)
            guess = f" Did you mean '{close}'?" if close else ""
            raise click.UsageError(f"no command '{args[0]}'.{guess}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, about) for name, (_, about) in _COMMANDS.items()])


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="lensbench")
def cli() -> None:
    """Did this method make my model better in the languages I care about, did English suffer, is the difference real?

    \b
    Examples:
      lensbench run --method lens --backbone smollm2-135m --languages zh --data embedded
      lensbench run --method lens --backbone llama3-8b --languages zh,ja,ko,ar,bn,sw
      lensbench show runs/NAME
      lensbench ls tasks
    """


def main() -> None:
    """Entry point. Exit codes: 0 done, 1 the run failed, 2 the command was wrong, 130 stopped by Ctrl-C."""
    # Threads that spin while they wait make a small model many times slower on a machine that has other work to do.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # pydantic reads the metadata of every installed package for plugins; one damaged file there would stop every command.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    signal.signal(signal.SIGTERM, _terminate)
    try:
        code = cli.main(standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.ClickException as error:
        if isinstance(error, click.UsageError) and error.ctx is not None:
            echo(error.ctx.get_usage(), err=True)
        echo(f"Error: {error.format_message()}", err=True)
        sys.exit(2)
    except LensbenchError as error:
        echo(f"lensbench: {error_text(error)}", err=True)
        sys.exit(error.exit_code)
    except ImportError as error:
        missing = missing_package(error)
        if missing is None:
            raise
        echo(f"lensbench: {error_text(missing)}", err=True)
        sys.exit(missing.exit_code)
    except (KeyboardInterrupt, click.Abort):
        echo("\nlensbench: stopped. Finished work is kept; the same command continues it", err=True)
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)


def _terminate(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt

"""How figures look: fills, hatches and markers that differ in grey too, sizes of a paper, and files that come out the same."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lensbench.errors import UnavailableError, UsageError
from lensbench.records.log import write_failed
from lensbench.reporting.figures.fonts import in_default, installed
from lensbench.reporting.shown_text import plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "COLUMN",
    "FORMATS",
    "LOOKS",
    "PAGE",
    "Look",
    "look_of",
    "luminance",
    "new_figure",
    "save_figure",
    "styled",
    "svg_text",
]

COLUMN, PAGE = 3.3, 6.8
"""Width of one column and of the text of a two-column paper, in inches."""
FORMATS = ("svg", "pdf", "png")

_DPI = 300
_STYLE: Any = {
    "font.size": 7.0,
    "axes.titlesize": 7.5,
    "axes.labelsize": 7.0,
    "xtick.labelsize": 7.0,
    "ytick.labelsize": 6.5,
    "legend.fontsize": 7.0,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": "#d0d0d0",
    "grid.linewidth": 0.4,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.0,
    "ytick.major.size": 2.0,
    "hatch.linewidth": 0.6,
    "lines.linewidth": 1.1,
    "legend.frameon": False,
    # Names of variants and tasks are text, also where they hold a dollar sign.
    "text.parse_math": False,
    # Outlines: a figure looks the same where its fonts are not installed, in whatever script.
    "svg.fonttype": "path",
    # Without a salt of its own every file gets fresh identifiers.
    "svg.hashsalt": "lensbench",
    # TrueType: publishers refuse the Type 3 fonts that are matplotlib's default.
    "pdf.fonttype": 42,
}


@dataclass(frozen=True)
class Look:
    """The look of one series."""

    fill: str
    hatch: str
    marker: str
    dash: Any
    """A line style of matplotlib's: a name, or offset and lengths."""

    @property
    def hatch_colour(self) -> str:
        """Light lines on a dark fill, dark ones on a light fill."""
        return "#ffffff" if luminance(self.fill) < 0.35 else "#303030"


LOOKS = (
    Look("#d9d9d9", "", "o", "-"),
    Look("#0072b2", "", "s", "-"),
    Look("#e69f00", "/////", "^", "--"),
    Look("#009e73", "....", "D", "-."),
    Look("#f0e442", "\\\\\\\\\\", "v", ":"),
    Look("#d55e00", "xxxxx", "P", (0, (5, 1, 1, 1, 1, 1))),
    Look("#56b4e9", "-----", "X", (0, (3, 1))),
    Look("#303030", "", "<", (0, (1, 1))),
    Look("#cc79a7", "|||||", ">", (0, (8, 2))),
)
"""Colours of Okabe and Ito (2008), in an order in which neighbours differ in lightness; the first is the untouched backbone's."""


def look_of(number: int) -> Look:
    """The look of a series.

    Raises:
        UsageError: more series than can be told apart.
    """
    if number >= len(LOOKS):
        raise UsageError(
            f"a figure can tell {len(LOOKS)} series apart, here are more", "Choose some: ``variants=NAME``, repeated."
        )
    return LOOKS[number]


def luminance(colour: str) -> float:
    """Relative luminance of `#rrggbb`, 0 (black) to 1 (white), as WCAG 2 defines it."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@contextmanager
def styled() -> Iterator[None]:
    """The house style, whatever a user's own matplotlib settings are.

    Raises:
        UnavailableError: matplotlib is not installed.
    """
    try:
        import matplotlib
    except ImportError:
        raise UnavailableError("figures need matplotlib, which is not installed", "pip install 'lensbench[report]'") from None
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        # Names of tasks and variants are in any script.
        matplotlib.rcParams["font.family"] = installed()
        yield


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, in inches; no window system and no global state is touched."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def svg_text(figure: Figure, caption: str) -> str:
    """A figure as SVG, its caption in the file's metadata; equal figures give equal text."""
    return _bytes(figure, "svg", caption).decode("utf-8")


def save_figure(figure: Figure, path: Path, caption: str) -> None:
    """Write a figure; its ending says the format. A reader never sees half a file.

    Raises:
        UsageError: another ending.
        RunError: the file cannot be written.
    """
    content = _bytes(figure, format_of(path), caption)
    partial = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # A link of this name would be followed, out of the folder as well.
        partial.unlink(missing_ok=True)
        with partial.open("xb") as stream:
            stream.write(content)
        partial.replace(path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink()
        raise write_failed(path, error) from None


def format_of(path: Path) -> str:
    """The format a file's ending names.

    Raises:
        UsageError: none of ours.
    """
    ending = path.suffix.removeprefix(".").lower()
    if ending not in FORMATS:
        raise UsageError(f"{path}: no figure is written as '{path.suffix}'", f"Endings: {', '.join('.' + f for f in FORMATS)}.")
    return ending


def _bytes(figure: Figure, form: str, caption: str) -> bytes:
    about = plain(caption)
    metadata: dict[str, dict[str, str | None]] = {
        "svg": {"Date": None, "Creator": "lensbench", "Description": about},
        "pdf": {"CreationDate": None, "Creator": "lensbench", "Subject": about},
        "png": {"Software": None, "Description": about},
    }
    stream = io.BytesIO()
    with styled(), _foreign_outlined(figure) if form == "pdf" else nullcontext():
        figure.savefig(stream, format=form, dpi=_DPI, metadata=metadata[form])
    return stream.getvalue()


@contextmanager
def _foreign_outlined(figure: Figure) -> Iterator[None]:
    """Words beyond the default font as outlines.

    matplotlib embeds fonts with cubic outlines, as those of Chinese mostly are, under the wrong type, which strict readers of PDF
    refuse.
    """
    from matplotlib.patheffects import Normal
    from matplotlib.text import Text

    foreign: list[Any] = [text for text in figure.findobj(Text) if not in_default(text.get_text())]
    for text in foreign:
        text.set_path_effects([Normal()])
    try:
        yield
    finally:
        for text in foreign:
            text.set_path_effects(None)

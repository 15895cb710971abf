"""Text of models, data and users in four formats: shown as it is, never interpreted, and nothing in it hides or turns.

Line breaks, tabs, control characters, bidi marks, zero-width spaces and halves of surrogate pairs are written as `U+202E`.
"""

from __future__ import annotations

import re

from markupsafe import Markup

from lensbench.reporting.shown_text import plain, visible

__all__ = ["csv_text", "html_text", "latex", "markdown", "one_line", "paragraph"]

_BREAKS = re.compile("[\t\n]")


def one_line(text: str) -> str:
    """Text without characters that break, hide or turn it."""
    return _BREAKS.sub(lambda match: f"U+{ord(match[0]):04X}", plain(text))


_MARKDOWN = re.compile(r"[\\`*_{}\[\]#|~$]")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "&#64;"}
# Some sites make addresses into links, also without any mark of a link.
_ADDRESS = re.compile(r"(?i)(?<=www)\.|:(?=//)|(?<=mailto):|(?<=xmpp):")
_BLOCK = re.compile(r"^(\s*)([-+=]|\d+(?=[.)]))([.)]?)")
"""What would begin a list or a rule where it begins a paragraph."""


def markdown(text: str) -> str:
    """For a cell of a table, or inside a line."""
    text = _MARKDOWN.sub(r"\\\g<0>", one_line(text))
    text = re.sub("[&<>@]", lambda match: _ENTITIES[match[0]], text)
    return _ADDRESS.sub(lambda match: f"&#{ord(match[0])};", text)


def paragraph(text: str) -> str:
    """For a paragraph of Markdown of its own."""
    return _BLOCK.sub(lambda m: f"{m[1]}{m[2]}\\{m[3]}" if m[3] else f"{m[1]}\\{m[2]}", markdown(text))


_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "'": r"\textquotesingle{}",
    "`": r"\textasciigrave{}",
    # After \\ these would be read as an option.
    "[": "{[}",
    "]": "{]}",
    "*": "{*}",
    "–": r"\textendash{}",
    "—": r"\textemdash{}",
    "−": r"\ensuremath{-}",
    "×": r"\ensuremath{\times}",
    "±": r"\ensuremath{\pm}",
    "≈": r"\ensuremath{\approx}",
    "≠": r"\ensuremath{\neq}",
    "·": r"\textperiodcentered{}",
    "…": r"\ldots{}",
    "Δ": r"\ensuremath{\Delta}",
    "λ": r"\ensuremath{\lambda}",
    "α": r"\ensuremath{\alpha}",
    "ρ": r"\ensuremath{\rho}",
    # As large as the smallest print of a table: \textsubscript would be smaller.
    "₁": r"\raisebox{-0.4ex}{\scriptsize 1}",
    "₂": r"\raisebox{-0.4ex}{\scriptsize 2}",
    "₃": r"\raisebox{-0.4ex}{\scriptsize 3}",
    "\u00a0": "~",
    "▲": r"\ensuremath{\uparrow}",
    "▼": r"\ensuremath{\downarrow}",
}
_LETTERS = "ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖØÙÚÛÜÝÞàáâãäåæçèéêëìíîïðñòóôõöøùúûüýþÿŒœŠšŽžĀāĂăĄąĆćČčĎďĘęĚěĞğĪīŁłŃńŇňŐőŘřŚśŞşŤťŪūŮůŰűŹźŻż"
"""Letters that pdflatex has in T1 without further packages."""


def latex(text: str) -> str:
    r"""For running text and cells, in T1 encoding. What plain pdflatex cannot set is written `\texttt{U+4E2D}`."""
    parts = []
    for character in one_line(text):
        if character in _LATEX:
            parts.append(_LATEX[character])
        elif " " <= character <= "~" or character in _LETTERS:
            parts.append(character)
        else:
            parts.append(rf"\texttt{{U+{ord(character):04X}}}")
    # Two hyphens or commas in a row would become another character.
    return re.sub("-(?=-)|,(?=,)", r"\g<0>{}", "".join(parts))


_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "'")
"""A cell that begins with one of these (the apostrophe aside) is a formula to spreadsheets; an apostrophe takes that away."""


def csv_text(text: str) -> str:
    """Text that a spreadsheet shows instead of computing it; one that begins with an apostrophe gets another, so none is lost."""
    text = one_line(text)
    return f"'{text}" if text.lstrip().startswith(_FORMULA) else text


def html_text(text: str) -> Markup:
    """Escaped; odd characters are marked elements with their code point."""
    marked = _BREAKS.sub(lambda match: f"U+{ord(match[0]):04X}", text)
    return visible(marked)

"""Figures for papers: drawn from the cells of runs, in vector form, legible in grey and without colour."""

from lensbench.reporting.figures.drawn import Drawn
from lensbench.reporting.figures.make import ablation, external, figures_for, layers, matrix, pca, per_language, pick
from lensbench.reporting.figures.make_sweep import pareto, sweep
from lensbench.reporting.figures.panels import Choice
from lensbench.reporting.figures.style import COLUMN, FORMATS, PAGE, save_figure

__all__ = [
    "COLUMN",
    "FORMATS",
    "PAGE",
    "Choice",
    "Drawn",
    "ablation",
    "external",
    "figures_for",
    "layers",
    "matrix",
    "pareto",
    "pca",
    "per_language",
    "pick",
    "save_figure",
    "sweep",
]

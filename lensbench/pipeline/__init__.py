"""The stages of a run: plan, fit, score, answer, identify, summarise."""

from lensbench.pipeline.plan import Plan, PlannedTask, RunRequest, make_plan
from lensbench.pipeline.run import run
from lensbench.pipeline.summarise import Cell, summarise

__all__ = ["Cell", "Plan", "PlannedTask", "RunRequest", "make_plan", "run", "summarise"]

"""Tasks and profiles: YAML in, lm-eval task objects out."""

from lensbench.tasks.registry import TaskEntry, TaskRegistry, parse_task
from lensbench.tasks.resolve import TaskInLanguage, resolve
from lensbench.tasks.schema import Profile, TaskFile

__all__ = ["Profile", "TaskEntry", "TaskFile", "TaskInLanguage", "TaskRegistry", "parse_task", "resolve"]

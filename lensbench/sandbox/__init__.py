"""Jinja for strangers' templates: they reach only the given values, and size and time have limits.

Imports the errors only.
"""

from lensbench.sandbox.environment import SafeEnvironment, limited, render, task_environment

__all__ = ["SafeEnvironment", "limited", "render", "task_environment"]

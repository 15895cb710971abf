"""The stages of a run: plan, fit, score, answer, identify, judge, summarise.

Import a stage from its own module: judging, identifying and summarising need no torch, and a package that imported all stages
would load it for every command.
"""

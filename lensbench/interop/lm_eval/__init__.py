"""Results and samples of lm-evaluation-harness: read as a run, written from a run; and lensbench as a model of it.

May import records, numbers, stages, tasks, engines and backbones.
"""

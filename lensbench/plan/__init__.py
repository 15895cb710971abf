"""From a request to a plan: everything that can be checked before a model is loaded, and the checks of a run that continues.

Imports methods, engines, tasks, datasets, backbones, languages and records. Nothing here loads weights.
"""

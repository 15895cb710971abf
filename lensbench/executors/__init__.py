"""Running stages in several processes of this machine, called ranks.

Imports records, plans and the stages' types; knows nothing of methods or metrics.
"""

"""Every number of a run, from records only: metrics read, paired, summarised, averaged, compared, calibrated.

Imports records, stats, metrics, languages and the graders' names. Views format what is made here and decide nothing.
"""

"""The stages of a run: fit, score, answer, identify, judge, and the writing of results.

Each stage reads records and appends records. Import a stage from its own module: judging and identifying need no torch, and a
package that imported all stages would load it for every command. May import every room but the CLI and the Python API.
"""

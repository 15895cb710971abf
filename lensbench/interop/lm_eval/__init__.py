"""Results and samples of lm-evaluation-harness: read as a run, written from a run. Imports records, numbers, stages and tasks."""

"""Files of other tools: read as runs, or written from runs. Imports records, numbers, stages and tasks."""

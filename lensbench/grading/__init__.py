"""Grading turns an answer into a number, by a judge or a language identifier. Imports records, tasks, datasets and languages."""

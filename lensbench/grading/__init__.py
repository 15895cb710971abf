"""What turns an answer into a number: a judge, or an identifier of languages. Imports records, tasks, datasets and languages."""

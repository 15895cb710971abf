"""Asking a model: rendering prompts, scoring continuations, generating answers."""

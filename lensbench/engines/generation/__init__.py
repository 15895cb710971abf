"""Answers: one at a time by transformers, or many in a moving batch. Imports backbones, methods and engines."""

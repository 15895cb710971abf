"""Generated answers: one at a time by transformers, or many in a moving batch.

May import backbones and other modules of engines.
"""

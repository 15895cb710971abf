"""The reference engine: the model's own forward pass, slow and obvious. May import backbones and other modules of engines."""

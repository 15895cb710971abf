"""Training data of methods: probing texts, parallel prompts and texts, and their overlap with what is evaluated."""

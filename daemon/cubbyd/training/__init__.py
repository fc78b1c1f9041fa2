"""Training: from examples to a model file."""

"""Evaluation: how good probabilities are, curves that make them better, and thresholds that keep a promise."""

"""Classifiers: one protocol, a module for each backend, loaded by name and only when chosen."""

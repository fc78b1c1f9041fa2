"""The service: threads, polls, hints, signals, and the log."""

"""One module for each step, in order; a released step is never changed."""

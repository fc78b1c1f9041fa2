"""Setting up: what an account looks like, which categories its folders make, and the configuration that follows."""

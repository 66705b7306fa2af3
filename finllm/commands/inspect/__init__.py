"""Look at calls, examples and pairs."""

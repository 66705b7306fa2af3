"""Score answers from any source, beside baselines."""

"""Memory, tokens and time of a training run from its parameters: no weights, no torch."""

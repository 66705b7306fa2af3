"""Memory, tokens and time of a training, from its parameters alone: no weights, no torch."""

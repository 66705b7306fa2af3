"""Training of the adapter: batches, checkpoints, curves, and errors explained with their causes."""

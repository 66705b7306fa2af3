"""Train the adapter: batches, checkpoints, curves, and errors with their causes."""

"""Hyperparameters chosen on the validation loss; nothing here sees the test set."""

"""Write the tuned model in a format that other programs load."""

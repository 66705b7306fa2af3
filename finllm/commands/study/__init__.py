"""Ablations with error bars: a file says what is asked, a command runs it and answers."""

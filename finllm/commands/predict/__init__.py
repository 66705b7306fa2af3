"""Answer every transcript of a folder."""

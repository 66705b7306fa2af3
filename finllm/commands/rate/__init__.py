"""The page on which people rate answers."""

"""What a run needs: looked at piece by piece, each finding with the command that mends it."""

"""Human ratings: ballots, clicks, win rate and agreement."""

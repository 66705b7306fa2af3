"""One call and two models: what base and tuned answer, side by side."""

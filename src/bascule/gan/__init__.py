"""The adversarial game: players, what they play for, one step, its recipe."""

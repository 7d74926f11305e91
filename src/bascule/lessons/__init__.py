"""Short games that fail on purpose, to learn from: the games, what is said of them, the verb."""

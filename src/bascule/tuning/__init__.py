"""A hyperparameter search: its trials, note and command."""

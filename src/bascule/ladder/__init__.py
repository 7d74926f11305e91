"""Presets against each other on one budget of time: runs, page, verb."""

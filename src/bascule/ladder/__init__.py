"""Compares presets at equal training time: experiment, page and command."""

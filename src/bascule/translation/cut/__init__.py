"""CUT and FastCUT: their model, step and recipe."""

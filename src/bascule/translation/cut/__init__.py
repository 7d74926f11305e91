"""CUT and FastCUT: model, step and recipe."""

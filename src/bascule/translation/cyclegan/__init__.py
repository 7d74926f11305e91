"""CycleGAN: its model, step and recipe."""

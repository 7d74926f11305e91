"""CycleGAN: model, step and recipe."""

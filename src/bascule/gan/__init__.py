"""GANs: the two networks, their losses and penalties, the training step and the recipe."""

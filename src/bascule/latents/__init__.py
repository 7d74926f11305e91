"""The latent space of G: interpolation, truncation, inversion, standing statistics."""

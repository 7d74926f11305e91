"""The latent space of a G: walking through it, keeping to its middle, finding a picture in it."""

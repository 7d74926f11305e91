"""The adversarial autoencoder: its model, step and recipe."""

"""pix2pix: its model, step and recipe."""

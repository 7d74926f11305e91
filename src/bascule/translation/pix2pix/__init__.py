"""pix2pix: model, step and recipe."""

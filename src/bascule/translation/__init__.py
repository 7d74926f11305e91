"""Image-to-image translation, from data to the command line."""

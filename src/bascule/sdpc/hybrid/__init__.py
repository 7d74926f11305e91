"""GANs that use learnt dictionaries: their models and their recipe."""

"""GANs on top of learnt dictionaries: their models and their recipe."""

"""Sparse deep predictive coding, from preprocessing to command line."""

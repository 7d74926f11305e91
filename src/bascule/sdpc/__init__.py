"""Sparse deep predictive coding (SDPC), from preprocessing to the command line."""

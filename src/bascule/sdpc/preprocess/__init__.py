"""Preprocessing of images before coding, and its inverse."""

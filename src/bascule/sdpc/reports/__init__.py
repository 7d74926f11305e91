"""Figures and tables of measurements of codes."""

"""What was measured of codes, as figures and tables."""

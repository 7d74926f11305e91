"""bascule: change one rule of the adversarial game, and read an honest verdict."""

__version__ = "0.1.0"

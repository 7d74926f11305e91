"""bascule: change one rule of adversarial training and get a statistically sound verdict."""

__version__ = "0.1.0"

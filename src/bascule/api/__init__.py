"""What ``import bascule as bl`` offers: runs, image sets and experiments as Python values."""

"""Basic parts that all other packages use; they know nothing of images or networks."""

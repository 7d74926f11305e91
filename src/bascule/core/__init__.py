"""What every other part stands on; knows no image, no network and no game."""

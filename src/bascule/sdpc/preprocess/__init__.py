"""What is done to images before they are coded, and undone after."""

"""One kind of picture into another, from data to command line."""

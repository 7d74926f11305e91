"""A search over settings: trials, its note, its verb."""

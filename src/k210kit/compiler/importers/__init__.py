"""From a file of the user's to the float graph."""

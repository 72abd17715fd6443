"""Tables of results and the forms in which they are written."""

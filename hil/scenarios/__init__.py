"""Scripts that play a whole story over the bench API."""

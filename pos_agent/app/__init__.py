"""The composition root: builds every room, starts named tasks, stops them in order."""

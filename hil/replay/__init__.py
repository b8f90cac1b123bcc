"""``python -m hil replay FILE``: an incident of a till in the field, done again to the whole bench."""

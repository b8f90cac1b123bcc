"""Slips: facts and words become documents (`slips`, pure); the `spooler` brings jobs to paper, oldest first."""

"""The fuzz lane: `python -m tests.fuzz --minutes N`; only a clip or a UserError may come out of any file."""

"""The page under load: `python -m tests.soak --visitors 20 --jobs 200`; its figures stand in docs/robustness.md."""

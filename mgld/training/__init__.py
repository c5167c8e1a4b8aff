"""Train the shipped networks: samples, losses, stages, and the runs that log and resume."""

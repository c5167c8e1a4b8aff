"""What a segment goes through, one stage a file, named as progress and timings name them: condition, motion, sample, decode."""

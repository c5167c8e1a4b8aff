"""Measures of a result: fidelity, perceptual distance, naturalness, steadiness; every one takes u8 [T,H,W,3] clips."""

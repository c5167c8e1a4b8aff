"""From noise to latents: schedules, noise, guidance, tiles, segments, the loop."""

"""MGLD Studio: motion-guided latent diffusion for video super-resolution."""

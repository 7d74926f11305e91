"""Rectified flow, a generative model that is no GAN: its network, sampler, step and recipe."""

"""Seed generation: the controller of SeedGenerator, which makes a seed image of the cluster it runs on."""

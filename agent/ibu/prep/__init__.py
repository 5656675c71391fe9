"""The Prep stage: validation, image clean-up, the stateroot and precache Jobs."""

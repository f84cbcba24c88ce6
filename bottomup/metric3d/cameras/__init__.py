"""Cameras: lenses, places in the world, and the virtual cameras that look at one person each."""

"""Loops that the families share: arrays and scalars in, arrays out."""

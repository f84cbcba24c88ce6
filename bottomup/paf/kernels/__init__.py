"""Loops of the part affinity field decoders."""

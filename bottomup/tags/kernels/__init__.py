"""Loops of the tag decoders."""

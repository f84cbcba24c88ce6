"""Loops of the decoders of centres."""

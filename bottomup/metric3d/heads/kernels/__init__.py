"""Compiled loops of soft-argmax."""

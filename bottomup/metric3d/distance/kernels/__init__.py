"""Compiled loops that find distances."""

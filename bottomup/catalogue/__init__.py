"""The catalogue: what is known of the models that exist, and their files, fetched once and kept."""

from bottomup.catalogue.cards import Card, cache_folder, fetch, find, get, names, recognise

__all__ = ["Card", "cache_folder", "fetch", "find", "get", "names", "recognise"]

"""The catalogue: what is known of the models that exist, and their files, fetched once and kept."""

from bottomup.catalogue.cards import Card, fetch, find, get, names, recognise
from bottomup.catalogue.fetching import cache_folder

__all__ = ["Card", "cache_folder", "fetch", "find", "get", "names", "recognise"]

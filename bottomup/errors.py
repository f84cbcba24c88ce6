"""The library's errors: bad input, a bad model file, a missing library."""

__all__ = ["BottomupError", "InputError", "MissingRuntimeError", "ModelError"]


class BottomupError(Exception):
    """Root of every error that this library raises on purpose."""


class InputError(BottomupError, ValueError):
    """An argument is not what was expected; the message says what to do instead."""


class ModelError(BottomupError, RuntimeError):
    """A model file cannot be read, recognised or run."""


class MissingRuntimeError(BottomupError, ImportError):
    """A library that this call needs is not installed; the message names the command that installs it."""

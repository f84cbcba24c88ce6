"""TFLite model files: reading them safely, running them, and telling which tensor is what."""

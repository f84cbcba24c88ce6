"""TFLite model files: read safely, checked and written anew."""

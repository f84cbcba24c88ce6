"""Training of the model that ships: rendered scenes and photos in, `bottomup-tiny.tflite` out."""

"""Networks: running a model file, from an image to tensors. Nothing here knows about families."""

"""Networks: what runs a model file, and what it takes and gives. Nothing here knows a family."""

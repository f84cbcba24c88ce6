"""How far away a pose is: by what is seen of it, or by its bones."""

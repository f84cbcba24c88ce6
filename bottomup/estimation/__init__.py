"""From a name or a file to an estimator, and from images to poses."""

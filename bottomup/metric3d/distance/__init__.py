"""How far away a pose is, found from its keypoints in the image or from its bones."""

"""Render the scene that ships in the package.

python -m models.train.demo bottomup/demo.jpg
"""

import sys

import cv2

from models.train.scenes import render_scene

SEED, NUM_PEOPLE = 2_000_002, 4  # four people apart enough to see that each has their own skeleton
QUALITY = 90


def main() -> None:
    """Write the picture to the file that is named."""
    cv2.imwrite(sys.argv[1], render_scene(SEED, num_people=NUM_PEOPLE).image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])


if __name__ == "__main__":
    main()

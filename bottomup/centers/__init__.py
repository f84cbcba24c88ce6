"""Centres and offsets: MoveNet, CenterNet-pose and DEKR."""

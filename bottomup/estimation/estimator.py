"""A model and its decoder: images in, poses out."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bottomup.catalogue.cards import Card
from bottomup.errors import InputError, ModelError
from bottomup.estimation.augmentation import Augmentation, average, decode_looks, merge_scales
from bottomup.estimation.streaming import stream
from bottomup.family import Decoder, Family, Layout
from bottomup.geometry import ImageSize, Letterbox, Placement, Resize, lay_out
from bottomup.images import in_some_order
from bottomup.networks.network import Network
from bottomup.networks.pixels import ChannelOrder, InputRule, checked_order, input_tensor
from bottomup.poses import MIN_SCORE, Poses
from bottomup.skeletons import Skeleton
from bottomup.tensors import Field, as_number

__all__ = ["PoseEstimator"]

#: A network's outputs of one input, and perhaps of its mirror image.
Looks: TypeAlias = list[dict[str, Field]]


class Prepared(NamedTuple):
    """An image as the networks take it."""

    tensors: list[NDArray[Any]]  #: (1, H, W, 3) of each network
    placements: list[Placement]
    image_size: ImageSize


@dataclass(frozen=True, eq=False, repr=False)
class PoseEstimator:
    """Find people in images: a network, how images are fitted to its input, and how its outputs become poses.

    `bottomup.load` makes one. Threads may share it; the network serves them
    one at a time.

    Attributes
    ----------
    path : Path
        The model file.
    network : Network
        Runs the file.
    family : Family
        The kind of network.
    layout : Layout
        What the network's outputs are.
    decoder : Decoder, optional
        Turns the outputs into poses; None if the model does that itself.
    resize : Letterbox or Stretch
        How an image is fitted to the network's input.
    scaling : InputRule
        The pixel values that the network expects.
    card : Card, optional
        What the catalogue says about the model or its kind.
    augmentation : Augmentation, optional
        Also run on mirrored images, or at other sizes.
    more_networks : tuple of Network
        The same model at the augmentation's other sizes.
    fits_input : bool
        Whether the input is fitted to each image's aspect.
    min_score : float
        Poses below this score, and worse duplicates of a person, are left out. 0 keeps everything.
    names : dict of str to str
        The right names of outputs whose own names say something else.

    Examples
    --------
    >>> import bottomup as bu
    >>> estimator = bu.load("posenet_mobilenet_v1_075_481_641_quant_decoder.tflite")  # doctest: +SKIP
    >>> estimator("street.jpg").scores  # doctest: +SKIP
    array([0.71, 0.64], dtype=float32)
    """

    path: Path
    network: Network
    family: Family
    layout: Layout
    decoder: Decoder | None
    resize: Resize
    scaling: InputRule
    card: Card | None = None
    augmentation: Augmentation | None = None
    more_networks: tuple[Network, ...] = ()
    fits_input: bool = False
    min_score: float = MIN_SCORE
    names: Mapping[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        decoder = type(self.decoder).__name__ if self.decoder is not None else "the model's own decoder"
        width, height = self.input_size
        return f"<PoseEstimator {self.path.name}, {self.family.title} at {width}x{height}, {decoder}>"

    @property
    def input_size(self) -> ImageSize:
        """Width and height of the network's input."""
        return self.network.input_size

    @property
    def skeleton(self) -> Skeleton:
        """The skeleton, which names the parts."""
        return self.layout.skeleton

    @property
    def output_stride(self) -> float | None:
        """Input pixels per cell; None if the network has no grid."""
        return self.layout.output_stride

    def __call__(self, image: Any, *, channel_order: ChannelOrder = "bgr") -> Poses:
        """Find the people in an image.

        Parameters
        ----------
        image : str, Path, bytes, uint8 (H, W, 3) array or Pillow image
            An image file or its bytes, turned upright by its EXIF data, or pixels.
        channel_order : {"bgr", "rgb"}
            Channel order of an array: OpenCV reads BGR; Pillow and most others read RGB.

        Returns
        -------
        Poses
            In pixels of the image, best first, without those below `min_score` and worse duplicates.

        Raises
        ------
        InputError
            If it is not such an image; the message says what to do.
        """
        prepared = self.prepare(image, checked_order(channel_order))
        return self.finish(self.run(prepared), prepared)

    def fields(self, image: Any, *, channel_order: ChannelOrder = "bgr") -> Any:
        """Return the network's raw outputs in canonical form, before decoding.

        With an augmentation, they come from its first size, averaged if it flips.

        Parameters
        ----------
        image, channel_order
            As for calling the estimator.

        Returns
        -------
        PoseNetFields, PafFields, CenterFields, TagFields or BoxFields
            The fields of the network's family.

        Raises
        ------
        InputError
            If the image cannot be read.
        ModelError
            If the model decodes by itself and has no fields.
        """
        fields, _ = self.look(image, channel_order=channel_order)
        return fields

    def look(self, image: Any, *, channel_order: ChannelOrder = "bgr") -> tuple[Any, Placement]:
        """Return what `fields` returns, and where the image lies in the network's input."""
        prepared = self.prepare(image, checked_order(channel_order))
        tensor = prepared.tensors[0]
        read = self._read(self._look(self.network, tensor), tensor)
        if isinstance(read[0], Poses):
            raise ModelError(f"{self.path} decodes by itself and gives no fields: call the estimator for its poses")
        return average(read, self.family, _size(tensor)), prepared.placements[0]

    def masks(
        self, image: Any, *, min_score: float | None = None, rule: Any = None, channel_order: ChannelOrder = "bgr"
    ) -> Any:
        """Find the people in an image, and the pixels that show each.

        Parameters
        ----------
        image : str, Path, bytes, uint8 (H, W, 3) array or Pillow image
            As for calling the estimator.
        min_score : float, optional
            Lowest score of a pose that gets a mask; worse ones would take pixels from people. Default: the estimator's.
        rule : MaskRule, optional
            The rule that assigns pixels to people, such as `PoseNetMasks.coral()`. Default: `PoseNetMasks()`.
        channel_order : {"bgr", "rgb"}
            Channel order of an array.

        Returns
        -------
        Segmentation
            At the image's resolution: poses, their masks, the pixels of all
            people, and parts of the body if the network gives them. With an
            augmentation, all pixels come from its first size.

        Raises
        ------
        ModelError
            If the network gives no segments and long offsets. Coral's BodyPix
            and the model in the package do.
        InputError
            If an argument is invalid.
        """
        lowest = self.min_score if min_score is None else as_number(min_score, "min_score")
        prepared = self.prepare(image, checked_order(channel_order))
        every = self.run(prepared)
        if self.family.segment is None:
            raise ModelError(
                f"{self.path} gives no masks, as no {self.family.title} network does: take Coral's BodyPix "
                "(bottomup models lists it) or the model that ships"
            )
        size = _size(prepared.tensors[0])
        fields = average(self._read(every[0], prepared.tensors[0]), self.family, size)
        poses = self.finish(every, prepared, min_score=lowest)
        try:
            return self.family.segment(fields, poses, rule, prepared.placements[0], prepared.image_size)
        except ModelError as error:
            raise ModelError(f"{self.path} {error}") from error

    def batch(
        self,
        images: Iterable[Any],
        *,
        channel_order: ChannelOrder = "bgr",
        on_error: Literal["raise", "skip"] = "raise",
    ) -> Iterator[Any]:
        """Find the people in each of many images, in order.

        One thread reads and resizes ahead of the network, and another decodes
        behind it, a few images at most, so any iterable works: a list, the
        paths in a folder, an endless camera. Closing the iterator ends the
        threads.

        Parameters
        ----------
        images : iterable of images
            Each as for one image.
        channel_order : {"bgr", "rgb"}
            Channel order of arrays.
        on_error : {"raise", "skip"}
            What happens to an image that cannot be read or run. "raise": its
            error comes at its turn, after the poses of those before it, and
            ends the iteration. "skip": the error is yielded in its place.

        Yields
        ------
        Poses
            Of each image, in its pixels; or the image's `BottomupError` if `on_error` is "skip".

        Raises
        ------
        InputError
            If an argument is invalid.
        """
        if isinstance(images, (str, bytes, Path)):
            raise InputError(f"batch takes many images, got the one {str(images)[:80]!r}: pass a list of it")
        if on_error not in ("raise", "skip"):
            raise InputError(f'on_error must be "raise" or "skip", got {on_error!r}')
        order = checked_order(channel_order)
        return stream(
            iter(images),
            lambda image: self.prepare(image, order),
            self.run,
            lambda prepared, every: self.finish(every, prepared),
            skips_errors=on_error == "skip",
        )

    def prepare(self, image: Any, channel_order: ChannelOrder) -> Prepared:
        """Read an image and lay it into input tensors: the first of the three steps of a call."""
        pixels, channel_order = in_some_order(image, channel_order)
        prepared = Prepared([], [], ImageSize(pixels.shape[1], pixels.shape[0]))
        for network in self._networks:
            size = self._fitted(network.input_size, prepared.image_size) if self.fits_input else network.input_size
            laid_out, placement = lay_out(pixels, self.resize, size)
            prepared.tensors.append(input_tensor(laid_out, channel_order, self.scaling, network.input))
            prepared.placements.append(placement)
        return prepared

    def _fitted(self, own: ImageSize, image_size: ImageSize) -> ImageSize:
        """Return the part of an input that an image needs, at least, in a size that the network takes."""
        needed = Letterbox().place(image_size, own).resized
        legal = self.layout.legal_size(needed)
        step = int(self.output_stride or 1)
        grown = (need + step if side < need else need for side, need in zip(legal, needed, strict=True))
        legal = self.layout.legal_size(ImageSize(*grown))
        return ImageSize(min(legal.width, own.width), min(legal.height, own.height))

    @property
    def _networks(self) -> tuple[Network, ...]:
        return (self.network, *self.more_networks)

    def run(self, prepared: Prepared) -> list[Looks]:
        """Return what every network gives: the second step."""
        return [self._look(network, tensor) for network, tensor in zip(self._networks, prepared.tensors, strict=True)]

    def _look(self, network: Network, tensor: NDArray[Any]) -> Looks:
        """Return a network's outputs of an input, and of its mirror image if that is asked for."""
        looks = [network.run(tensor)]
        if self.augmentation is not None and self.augmentation.flip:
            looks.append(network.run(np.ascontiguousarray(tensor[:, :, ::-1])))
        return looks

    def _read(self, looks: Looks, tensor: NDArray[Any]) -> list[Any]:
        """Return a network's outputs of an input, and of its mirror image, as fields or poses."""
        names, size = self.names, _size(tensor)
        return [
            self.layout.read({names.get(name, name): values for name, values in outputs.items()}, size)
            for outputs in looks
        ]

    def finish(self, every: list[Looks], prepared: Prepared, *, min_score: float | None = None) -> Poses:
        """Turn the networks' outputs into poses in the image: the third step."""
        found = []
        for looks, tensor, placement in zip(every, prepared.tensors, prepared.placements, strict=True):
            poses = decode_looks(self._read(looks, tensor), self.family, self.decoder, _size(tensor))
            found.append(poses.to_image(placement, prepared.image_size))
        merged = merge_scales(found, self.decoder)
        lowest = self.min_score if min_score is None else min_score
        return merged.sure(lowest) if lowest > 0 else merged


def _size(tensor: NDArray[Any]) -> ImageSize:
    """Return width and height of an input tensor."""
    return ImageSize(tensor.shape[2], tensor.shape[1])

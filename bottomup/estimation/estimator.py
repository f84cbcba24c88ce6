"""A model and its decoder: images in, poses out."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bottomup.catalogue.cards import Card
from bottomup.errors import InputError, ModelError
from bottomup.estimation.augmentation import Augmentation, Fields, average_with_mirrored
from bottomup.estimation.merging import merge_poses
from bottomup.families import read_outputs
from bottomup.geometry import ImageSize, Letterbox, Placement, Resize, lay_out
from bottomup.images import in_some_order
from bottomup.networks.network import Network
from bottomup.networks.pixels import ChannelOrder, InputRule, checked_order, input_tensor
from bottomup.paf.fields import PafFields
from bottomup.posenet.fields import PoseNetFields
from bottomup.posenet.masks import MaskRule, PoseNetMasks, Segmentation, segment
from bottomup.poses import Poses
from bottomup.skeletons import Skeleton
from bottomup.tensors import Field, as_number

#: Images that `batch` reads before the network asks for them, and poses that wait behind it.
AHEAD = 2


#: A network's outputs of one input, and perhaps of its mirror image.
Looks: TypeAlias = list[dict[str, Field]]


class Decoder(Protocol):
    """Whatever turns fields into poses."""

    def decode(self, fields: Any) -> Poses:
        """Return the poses, in input pixels."""


class Prepared(NamedTuple):
    """An image as the networks take it."""

    tensors: list[NDArray[Any]]  #: (1, H, W, 3) of each network
    placements: list[Placement]
    image_size: ImageSize


@dataclass(frozen=True, eq=False)
class PoseEstimator:
    """A network, the way images are laid into its input, and the way poses come out.

    `bottomup.load` makes one. Threads may share it: the network serves one
    at a time.

    Attributes
    ----------
    path : Path
        The model file.
    network : Network
        What runs it.
    decoder : Decoder, optional
        What turns its outputs into poses; None where the model does.
    resize : Letterbox or Stretch
        How an image comes into the network's input.
    scaling : InputRule
        What real numbers stand for its pixels.
    output_stride : float, optional
        Input pixels per cell; None where the model decodes.
    skeleton : Skeleton
        Names the parts.
    card : Card, optional
        What the catalogue says of the model, or of its kind.
    augmentation : Augmentation, optional
        More looks at each image: mirrored, and at other sizes.
    more_networks : tuple of Network
        The same model at the augmentation's other sizes.
    fits_input : bool
        Whether the input is cut to each image's aspect.
    family : {"posenet", "paf"}, optional
        What is read of a network that gives both.

    Examples
    --------
    >>> import bottomup as bu
    >>> estimator = bu.load("posenet_mobilenet_v1_075_481_641_quant_decoder.tflite")  # doctest: +SKIP
    >>> estimator("street.jpg").scores  # doctest: +SKIP
    array([0.71, 0.64], dtype=float32)
    """

    path: Path
    network: Network
    decoder: Decoder | None
    resize: Resize
    scaling: InputRule
    output_stride: float | None
    skeleton: Skeleton
    card: Card | None = None
    augmentation: Augmentation | None = None
    more_networks: tuple[Network, ...] = ()
    fits_input: bool = False
    family: Literal["posenet", "paf"] | None = None

    @property
    def input_size(self) -> ImageSize:
        """Width and height of the network's input."""
        return self.network.input_size

    def __call__(self, image: str | Path | NDArray[np.uint8], *, channel_order: ChannelOrder = "bgr") -> Poses:
        """Find the people in an image.

        Parameters
        ----------
        image : str, Path or uint8 (H, W, 3) array
            An image file, turned upright as its EXIF data say, or pixels.
        channel_order : {"bgr", "rgb"}
            Of an array's channels: BGR as OpenCV reads, RGB as Pillow and most others do.

        Returns
        -------
        Poses
            In pixels of the image.

        Raises
        ------
        InputError
            If it is no such image; the message says how to make it one.
        """
        prepared = self.prepare(image, checked_order(channel_order))
        return self.finish(self.run(prepared), prepared)

    def fields(
        self, image: str | Path | NDArray[np.uint8], *, channel_order: ChannelOrder = "bgr"
    ) -> PoseNetFields | PafFields:
        """Return the network's raw outputs in canonical form, before decoding.

        With an augmentation: of its first size, averaged if it flips.

        Raises
        ------
        ModelError
            If the model decodes by itself and has none.
        """
        prepared = self.prepare(image, checked_order(channel_order))
        read = self._read(self._look(self.network, prepared.tensors[0]), prepared.tensors[0])
        if isinstance(read, Poses):
            raise ModelError(f"{self.path} decodes by itself and gives no fields: call the estimator for its poses")
        return read

    def masks(
        self,
        image: str | Path | NDArray[np.uint8],
        *,
        min_score: float = 0.2,
        rule: MaskRule | None = None,
        channel_order: ChannelOrder = "bgr",
    ) -> Segmentation:
        """Find the people in an image, and the pixels that show each.

        Parameters
        ----------
        image : str, Path or uint8 (H, W, 3) array
            As for poses.
        min_score : float
            Lowest score of a pose that gets a mask: worse ones would take pixels from people.
        rule : MaskRule, optional
            Which rule gives pixels to people, as `PoseNetMasks.coral()`. Default: `PoseNetMasks()`.
        channel_order : {"bgr", "rgb"}
            Of an array's channels.

        Returns
        -------
        Segmentation
            At the image's resolution: poses, their masks, the pixels of
            anybody, and parts of the body where the network tells them.
            With an augmentation, all pixels are of its first size.

        Raises
        ------
        ModelError
            If the network gives no segments and long offsets, as Coral's
            BodyPix and the one that ships do, or is read as part affinity fields.
        InputError
            If an argument is not what it must be.
        """
        rule = PoseNetMasks() if rule is None else rule
        if not isinstance(rule, MaskRule):
            raise InputError(f"rule must be one, as PoseNetMasks.coral(), got {rule!r}")
        min_score = as_number(min_score, "min_score")
        prepared = self.prepare(image, checked_order(channel_order))
        every = self.run(prepared)
        fields = self._read(every[0], prepared.tensors[0])
        if not isinstance(fields, PoseNetFields) or fields.long_offsets is None or fields.segments is None:
            raise ModelError(
                f"{self.path} gives no masks: they need a PoseNet's segments and long offsets, "
                "which Coral's BodyPix gives (bottomup models lists it) and the model that ships, with a PoseNetDecoder"
            )
        poses = self.finish(every, prepared)
        poses = poses[poses.scores >= min_score]
        return segment(fields, poses, rule, prepared.placements[0], prepared.image_size)

    def batch(
        self, images: Iterable[str | Path | NDArray[np.uint8]], *, channel_order: ChannelOrder = "bgr"
    ) -> Iterator[Poses]:
        """Find the people in each of many images, in order.

        A thread reads and resizes ahead of the network and another decodes
        behind it, a few images at most, so that any iterable will do: a list,
        a folder's paths, a camera that never ends. Whatever an image raises
        comes at its turn, after the poses of those before it, and ends the
        iteration. Closing the iterator ends the threads.

        Parameters
        ----------
        images : iterable of str, Path or uint8 (H, W, 3) array
            As for one image.
        channel_order : {"bgr", "rgb"}
            Of the arrays' channels.

        Yields
        ------
        Poses
            Of each image, in its pixels.
        """
        if isinstance(images, (str, Path)):
            raise InputError(f"batch takes many images, got the one path {str(images)!r}: pass [{str(images)!r}]")
        return self._stream(iter(images), checked_order(channel_order))

    def _stream(self, images: Iterator[Any], channel_order: ChannelOrder) -> Iterator[Poses]:
        """Yield poses while a thread reads ahead and another decodes behind."""
        reader, decoder = ThreadPoolExecutor(1, "bottomup-reader"), ThreadPoolExecutor(1, "bottomup-decoder")

        def read_next() -> Prepared | None:
            for image in images:
                return self.prepare(image, channel_order)
            return None

        try:
            ahead = deque(reader.submit(read_next) for _ in range(AHEAD))
            behind: deque[Future[Poses]] = deque()
            while (finished := self._advance(ahead.popleft(), decoder)) is not None:
                behind.append(finished)
                ahead.append(reader.submit(read_next))
                if len(behind) == AHEAD:
                    yield behind.popleft().result()
            while behind:
                yield behind.popleft().result()
        finally:
            for executor in (reader, decoder):
                executor.shutdown(wait=True, cancel_futures=True)

    def _advance(self, read: "Future[Prepared | None]", decoder: ThreadPoolExecutor) -> "Future[Poses] | None":
        """Run the network on an image that was read, and have its outputs decoded; None after the last."""
        try:
            prepared = read.result()
            if prepared is None:
                return None
            return decoder.submit(self.finish, self.run(prepared), prepared)
        except Exception as error:  # it waits its turn behind the images that went well
            failed: Future[Poses] = Future()
            failed.set_exception(error)
            return failed

    def prepare(self, image: str | Path | NDArray[np.uint8], channel_order: ChannelOrder) -> Prepared:
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
        """Return the part of an input that an image needs, in whole strides."""
        stride = int(self.output_stride or 1)
        needed = Letterbox().place(image_size, own).resized
        sides = zip(needed, own, strict=True)
        return ImageSize(
            *(min(-(-(side - most % stride) // stride) * stride + most % stride, most) for side, most in sides)
        )

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

    def _read(self, looks: Looks, tensor: NDArray[Any]) -> Fields | Poses:
        """Return a network's outputs of an input as fields or poses."""
        size = ImageSize(tensor.shape[2], tensor.shape[1])
        read, *mirrored = (read_outputs(outputs, size, family=self.family) for outputs in looks)
        for other in mirrored:
            assert not isinstance(read, Poses)
            assert not isinstance(other, Poses)
            read = average_with_mirrored(read, other, size.width)
        return read

    def finish(self, every: list[Looks], prepared: Prepared) -> Poses:
        """Turn the networks' outputs into poses in the image: the third step."""
        found = []
        for looks, tensor, placement in zip(every, prepared.tensors, prepared.placements, strict=True):
            read = self._read(looks, tensor)
            if not isinstance(read, Poses):
                assert self.decoder is not None
                read = self.decoder.decode(read)
            found.append(read.to_image(placement, prepared.image_size))
        return found[0] if len(found) == 1 else merge_poses(found, max_poses=max(20, *map(len, found)))

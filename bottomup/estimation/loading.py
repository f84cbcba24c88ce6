"""Make an estimator from a name or a file: find, open and recognise it, choose the decoder, set the sizes."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from bottomup import families
from bottomup.catalogue import cards as catalogue
from bottomup.catalogue.cards import Card
from bottomup.errors import InputError, ModelError
from bottomup.estimation.augmentation import Augmentation
from bottomup.estimation.estimator import PoseEstimator
from bottomup.family import Clues, Cut, Decoder, Family, GraphView, Layout
from bottomup.geometry import ImageSize, Letterbox, Resize, Stretch, as_size
from bottomup.networks.network import Network
from bottomup.networks.opening import open_network
from bottomup.networks.pixels import INPUT_RULES, InputRule, as_input_rule
from bottomup.poses import MIN_SCORE
from bottomup.skeletons import Skeleton, as_skeleton
from bottomup.tensors import as_number

__all__ = ["load"]


def load(
    model: str | Path | None = None,
    *,
    decoder: Decoder | str | None = None,
    runtime: str | None = None,
    threads: int = 1,
    delegate: Any = None,
    input_size: tuple[int, int] | Literal["auto"] | None = None,
    augmentation: Augmentation | None = None,
    resize: Resize | None = None,
    scaling: str | InputRule | None = None,
    skeleton: Skeleton | None = None,
    outputs: Mapping[str, str] | None = None,
    min_score: float = MIN_SCORE,
    device: str | None = None,
    providers: Any = None,
    reference_kernels: bool = False,
    trusted: bool = False,
) -> PoseEstimator:
    """Load a model and return an estimator.

    Parameters
    ----------
    model : str or Path, optional
        A name in the catalogue, such as "coral-posenet-641x481", whose file is
        downloaded once and kept; or a .tflite, .onnx or .xml (OpenVINO) file,
        recognised by its tensors. Decoders inside the file are cut off.
        Default: the model inside the package.
    decoder : Decoder or str, optional
        A decoder, or the name of one, such as "coral". "file" means what the
        file itself asks for: Coral's operator with its options, or the graph's
        own answers. Default: our best decoder for the family.
    runtime : {"litert", "tflite_runtime", "tensorflow", "openvino", "onnxruntime"}, optional
        Default: the first one installed that can run such a file.
    threads : int
        Threads for the network; 1 is fastest for small networks.
    delegate : str, Path or loaded delegate, optional
        Such as "libedgetpu.so.1", for a file compiled for the Edge TPU. Default: the one in the catalogue, if any.
    input_size : (int, int) or "auto", optional
        Width and height of the network's input, if the file allows others than
        its own; rounded to a size that the family takes. "auto" fits the input
        to each image's aspect, which finds the same people and saves the time
        spent on padding. Default: the file's own size, or about 641 x 481 if
        it leaves the size open.
    augmentation : Augmentation, optional
        Run several versions of each image: `Augmentation(flip=True)` adds the
        mirrored image, `Augmentation(scales=(1, 1.5))` other sizes.
    resize : Letterbox or Stretch, optional
        How images are fitted to the network's input. Default: `Letterbox()`, which keeps their aspect.
    scaling : {"signed", "mean", "pixels", "bodyposenet", "imagenet"} or InputRule, optional
        The pixel values that the network was trained on: [-1, 1], as for
        MobileNets; pixels minus the mean, as for tfjs's ResNet; BGR pixels, as
        for tf-pose; RGB / 256 - 0.5, as for BodyPoseNet; or ImageNet's mean
        and deviation, as for trt_pose. Default: what the catalogue or the
        family says about such models, else "signed".
    skeleton : Skeleton, optional
        Your own skeleton, for a network trained on other parts.
    outputs : dict of str to str, optional
        The right names of unnamed or misnamed outputs: {"Identity_1": "short_offsets"}.
    min_score : float
        Leave out poses below this score, and worse duplicates of a person. 0 keeps everything.
    device : str, optional
        OpenVINO's device: "CPU", "GPU" or another.
    providers : sequence, optional
        ONNX Runtime's execution providers.
    reference_kernels : bool
        Run TFLite's reference kernels, which are 10 to 15 times slower but
        give the same outputs on every machine and runtime.
    trusted : bool
        Allow operators that Bottomup does not know. A damaged file that uses them may crash the runtime.

    Returns
    -------
    PoseEstimator

    Raises
    ------
    ModelError
        If the file does not exist, or cannot be downloaded, read, recognised or run.
    MissingRuntimeError
        If the runtime or delegate is not installed.
    InputError
        If an argument is invalid.

    Examples
    --------
    >>> estimator = load("multi_person_mobilenet_v1_075_float.tflite", input_size=(641, 481))  # doctest: +SKIP
    """
    _check(decoder, augmentation, resize, input_size, outputs)
    lowest = as_number(min_score, "min_score")
    if not 0 <= lowest <= 1:
        raise InputError(f"min_score must be a score in [0, 1], got {min_score!r}")
    rule = None if scaling is None else as_input_rule(scaling)
    path, card = catalogue.find(model)

    def open_again() -> Network:
        return open_network(
            path,
            runtime=runtime,
            threads=threads,
            delegate=delegate if delegate is not None or card is None else card.delegate,
            device=device,
            providers=providers,
            reference_kernels=bool(reference_kernels),
            trusted=bool(trusted),
            cut=_cut(keeps_whole=decoder == "file"),
        )

    network = open_again()
    card = card or catalogue.recognise(path, network.input.dtype.name, network.input_size, _shapes(network))
    family, layout = _recognise(network, card, decoder, skeleton, dict(outputs or {}))
    chosen = _choose(decoder, family, layout, path)
    if chosen is None and decoder is not None and decoder != "file":
        raise InputError(f"{path} decodes by itself: leave decoder out")
    rule = rule or _input_rule(card, layout)
    networks, fits_input = _fit_sizes(network, open_again, input_size, augmentation, layout)
    if resize is None:
        resize = Letterbox() if layout.pixels is None else Letterbox(pad_value=layout.pixels.pad_value)
    return PoseEstimator(
        path,
        network,
        family,
        layout,
        chosen,
        resize,
        rule,
        card,
        augmentation,
        tuple(networks[1:]),
        fits_input,
        lowest,
        {**network.aliases, **(outputs or {})},
    )


def _check(decoder: Any, augmentation: Any, resize: Any, input_size: Any, outputs: Any) -> None:
    """Refuse arguments that are of another kind."""
    if resize is not None and not isinstance(resize, (Letterbox, Stretch)):
        raise InputError(f"resize must be Letterbox() or Stretch(), got {resize!r}")
    if decoder is not None and not isinstance(decoder, str) and (isinstance(decoder, type) or not _decodes(decoder)):
        raise InputError(f'decoder must be one, such as PoseNetDecoder(), a name or "file", got {decoder!r}')
    names = dict.fromkeys(name for family in families.FAMILIES for name in family.decoders)
    if isinstance(decoder, str) and decoder not in (*names, "file"):
        raise InputError(f"decoder must be one of {', '.join(names)} or file, got {decoder!r}")
    if augmentation is not None and not isinstance(augmentation, Augmentation):
        raise InputError(f"augmentation must be an Augmentation, such as Augmentation(flip=True), got {augmentation!r}")
    if isinstance(input_size, str) and input_size != "auto":
        raise InputError(f'input_size must be (width, height) or "auto", got {input_size!r}')
    if outputs is not None and not (
        isinstance(outputs, Mapping) and all(isinstance(name, str) for pair in outputs.items() for name in pair)
    ):
        raise InputError(f"outputs must be a dict such as {{'Identity_1': 'short_offsets'}}, got {outputs!r}")


def _decodes(decoder: Any) -> bool:
    return callable(getattr(decoder, "decode", None))


def _cut(keeps_whole: bool) -> Callable[[GraphView], Cut | None]:
    """Return where a graph is cut: by the first family that knows it, unless it can and shall stay whole."""

    def cut(graph: GraphView) -> Cut | None:
        cuts = (family.cut(graph) for family in families.FAMILIES)
        found = next((each for each in cuts if each is not None), None)
        return None if found is not None and keeps_whole and not found.is_needed else found

    return cut


def _recognise(
    network: Network, card: Card | None, decoder: Any, skeleton: Skeleton | None, names: Mapping[str, str]
) -> tuple[Family, Layout]:
    """Return what a network is, once and for all."""
    unknown = set(names) - {info.name for info in network.outputs}
    if unknown:
        raise InputError(
            f"outputs names {', '.join(sorted(unknown))}, but {network.path} gives "
            f"{', '.join(info.name for info in network.outputs)}"
        )
    names = {**network.aliases, **names}
    infos = tuple(info._replace(name=names.get(info.name, info.name)) for info in network.outputs)
    own = {names.get(info.name, info.name): info.name for info in network.outputs}
    producers = network.producers

    @lru_cache(maxsize=256)  # it follows the whole graph, and layouts ask for every image
    def cell_shift(name: str, size: ImageSize) -> tuple[float, float] | None:
        return network.cell_shift(own[name], size)

    clues = Clues(
        infos,
        network.input_size,
        skeleton=None if skeleton is None else as_skeleton(skeleton),
        cell_shift=cell_shift,
        options=network.options,
        producers={name: producers[own[name]] for name in own if own[name] in producers},
    )
    try:
        family, layout = families.recognise(clues, _considered(decoder))
    except (ModelError, InputError) as error:
        raise ModelError(f"{network.path}: {error}") from error
    if not _can_read(decoder, family):
        name = decoder if isinstance(decoder, str) else type(decoder).__name__
        raise InputError(
            f"{network.path} is a {family.title} network, which {name} "
            f"does not decode: choose {', '.join(family.decoders)} or leave decoder out"
        )
    return family, layout


def _considered(decoder: Any) -> tuple[Family, ...]:
    """Return the families to ask: those that the decoder can read first, for a network may have heads of several."""
    return tuple(sorted(families.FAMILIES, key=lambda family: not _can_read(decoder, family)))


def _can_read(decoder: Any, family: Family) -> bool:
    """Tell whether a decoder, of a class or a name, is one of the family's; a class that no family knows may be."""
    if decoder is None or decoder == "file":
        return True
    if isinstance(decoder, str):
        return decoder in family.decoders
    known = tuple(kind for each in families.FAMILIES for kind in each.decoder_types)
    return isinstance(decoder, family.decoder_types) or not isinstance(decoder, known)


def _choose(decoder: Any, family: Family, layout: Layout, path: Path) -> Decoder | None:
    """Return the decoder that was asked for, or our best."""
    best = layout.best_decoder()
    if decoder is None or best is None:
        return best
    if decoder == "file":
        return layout.file_decoder() or best
    return family.decoders[decoder]() if isinstance(decoder, str) else decoder


def _input_rule(card: Card | None, layout: Layout) -> InputRule:
    """Return what real numbers a network was trained on, as far as its card or family says."""
    if card is not None:
        means, divisors = card.input.mean, card.input.divisor
        red, green, blue = (1 / divisor for divisor in divisors)
        shift = (-means[0] / divisors[0], -means[1] / divisors[1], -means[2] / divisors[2])
        return InputRule(card.input.channel_order, red if red == green == blue else (red, green, blue), shift)
    if layout.pixels is not None:
        return InputRule(layout.pixels.channel_order, layout.pixels.scale, layout.pixels.shift)
    return INPUT_RULES["signed"]


def _fit_sizes(
    network: Network,
    open_again: Callable[[], Network],
    input_size: tuple[int, int] | Literal["auto"] | None,
    augmentation: Augmentation | None,
    layout: Layout,
) -> tuple[list[Network], bool]:
    """Return a network for each size, and whether inputs are cut to each image's aspect."""
    fits_input = input_size == "auto"
    own = network.input_size
    size = own if input_size is None or isinstance(input_size, str) else _legal(as_size(input_size), own, layout)
    scales = (1.0,) if augmentation is None else augmentation.scales
    networks = [network, *(open_again() for _ in scales[1:])]
    for each, scale in zip(networks, scales, strict=True):
        wanted = _legal(ImageSize(round(size.width * scale), round(size.height * scale)), size, layout)
        if fits_input:  # also shows whether the file allows it
            step = int(layout.output_stride or 1)
            each.resize_input(layout.legal_size(ImageSize(wanted.width + step, wanted.height)))
        if wanted != each.input_size:
            each.resize_input(wanted)
    return networks, fits_input


def _legal(size: ImageSize, own: ImageSize, layout: Layout) -> ImageSize:
    """Return the legal size nearest to `size`; one that the file or the caller has is legal as it is."""
    least = int(layout.output_stride or 0)
    if min(size) <= least:
        raise InputError(f"input_size must be (width, height), above {least} pixels each, got {tuple(size)}")
    return size if size == own else layout.legal_size(size)


def _shapes(network: Network) -> dict[str, tuple[int, ...]]:
    aliases = network.aliases
    return {aliases.get(output.name, output.name): output.shape for output in network.outputs}

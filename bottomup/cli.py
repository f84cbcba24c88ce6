"""The command line: `bottomup predict`, `decode`, `models`, `warmup`.

Exit status 0, or 2 with one line on standard error that says what was wrong.
Heavy imports stand inside the commands, so that help is quick.
"""

import argparse
import contextlib
import dataclasses
import glob
import itertools
import json
import os
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import bottomup
from bottomup.errors import BottomupError, InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from bottomup.catalogue import Card
    from bottomup.checks import FieldLike
    from bottomup.estimator import Decoder, PoseEstimator
    from bottomup.posenet.fields import PoseNetFields

_FAILED, _INTERRUPTED = 2, 130
_IMAGE_SUFFIXES = {".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}  # which OpenCV reads and writes
_STRIDES = (8, 16, 32)
_FOR_PHOTOGRAPHS = "coral-posenet-481x641"  # what stands beside the figures of the model that ships
_DEMO = Path(__file__).parent / "demo.jpg"  # what predict shows its skill on unless it is given something better
_HANDFUL = 5  # images, from which on a terminal sees a progress bar


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    parser = _parser()
    try:
        asked = parser.parse_args(arguments)
        if asked.command is None:
            parser.print_help()
            return _FAILED
        status: int = asked.command(asked)
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:  # whoever reads our output has seen enough
        _forget_output()
        return _FAILED
    except (BottomupError, OSError, MemoryError) as error:
        _complain(error)
    except Exception as error:
        if sys.flags.dev_mode:
            raise
        _complain(f"a defect, please report it (python -X dev shows where): {type(error).__name__}: {error}")
    _forget_output()
    return _FAILED


class _Parser(argparse.ArgumentParser):
    """A parser that complains in one line, as everything else here does."""

    def error(self, message: str) -> NoReturn:
        self.exit(_FAILED, f"bottomup: {message} (see {self.prog} --help)\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="bottomup", description="Find people and their keypoints in images.")
    parser.add_argument("--version", action="version", version=f"bottomup {bottomup.__version__}")
    parser.set_defaults(command=None)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")

    predict = commands.add_parser("predict", help="images to poses", description="Find the people in images.")
    predict.add_argument(
        "sources",
        nargs="*",
        metavar="SOURCE",
        help="image, folder of images, or quoted glob pattern (default: the demo scene that ships with bottomup)",
    )
    predict.add_argument(
        "--model",
        metavar="MODEL",
        help="a name that bottomup models lists, or a .tflite file (default: the model that ships with bottomup)",
    )
    predict.add_argument("--out", metavar="DIR", default="poses", help="folder of the drawn pictures (default: poses)")
    predict.add_argument("--json", metavar="FILE", help="where the poses go (default: DIR/poses.json)")
    _add_decoder_options(predict, default=None, default_help="the model file's own, else best")
    predict.add_argument(
        "--min-score", type=_score, metavar="S", default=0.2, help="leave poses below this score out (default: 0.2)"
    )
    predict.add_argument("--threads", type=int, default=1, help="threads of the network (default: 1)")
    predict.add_argument(
        "--runtime", help="ai_edge_litert, tflite_runtime or tensorflow (default: the first installed)"
    )
    predict.add_argument("--delegate", metavar="LIBRARY", help="as libedgetpu.so.1, for a model compiled for it")
    predict.set_defaults(command=_predict)

    decode = commands.add_parser("decode", help="raw tensors to poses", description="Decode a network's raw outputs.")
    decode.add_argument(
        "raw",
        metavar="RAW.npz",
        help="named tensors of one image; 8-bit ones with NAME_scale and NAME_zero_point beside them",
    )
    decode.add_argument("--json", metavar="FILE", help="where the poses go (default: standard output)")
    decode.add_argument(
        "--stride", type=int, choices=_STRIDES, help="input pixels per cell (default: the file's stride, else 16)"
    )
    _add_decoder_options(decode, default="best", default_help="best")
    decode.set_defaults(command=_decode)

    models = commands.add_parser("models", help="the models that exist", description="Models by name, and their files.")
    models.set_defaults(command=_list_models)
    of_models = models.add_subparsers(title="commands", metavar="COMMAND")
    of_models.add_parser("list", help="all of them (default)").set_defaults(command=_list_models)
    show = of_models.add_parser("show", help="all that is known of one")
    show.add_argument("model", metavar="MODEL")
    show.set_defaults(command=_show_model)
    pull = of_models.add_parser("pull", help="fetch its file, unless it is there already")
    pull.add_argument("model", metavar="MODEL")
    pull.set_defaults(command=_pull_model)

    warmup = commands.add_parser(
        "warmup", help="compile ahead of time", description="Compile the decoders once, so that later runs need not."
    )
    warmup.set_defaults(command=_warmup)
    return parser


def _score(text: str) -> float:
    """Return a score that was given."""
    score = float(text)
    if not 0 <= score <= 1:
        raise argparse.ArgumentTypeError(f"must be a score from 0 to 1, got {text}")
    return score


def _add_decoder_options(parser: argparse.ArgumentParser, default: str | None, default_help: str) -> None:
    parser.add_argument(
        "--decoder", choices=("best", "coral", "tfjs"), default=default, help=f"whose answers (default: {default_help})"
    )
    parser.add_argument("--max-poses", type=int, metavar="N", help="most people in an image")
    parser.add_argument("--score-threshold", type=float, metavar="S", help="lowest score to start a pose from, 0 to 1")


def _predict(asked: argparse.Namespace) -> int:
    """Find the people in images: pictures into a folder, poses into one JSON file."""
    if not asked.sources and not _DEMO.is_file():
        raise InputError("the demo scene is missing from this installation: name an image, bottomup predict PHOTO.jpg")
    paths, complaints = _find_images(asked.sources or [str(_DEMO)])
    if not paths:
        raise InputError("; ".join(complaints))
    out = Path(asked.out)
    json_path = Path(asked.json) if asked.json else out / "poses.json"
    occupied = {_identity(path) for path in paths}
    if _identity(json_path) in occupied:
        raise InputError(f"--json {json_path} is one of the images: name another file")
    occupied.add(_identity(json_path))

    from bottomup.draw import draw_poses
    from bottomup.export import poses_json, skeleton_json

    estimator = _load(asked)
    _make_folder(out)
    images: list[dict[str, Any]] = []
    waiting: deque[tuple[str, NDArray[np.uint8]]] = deque()
    with _Progress(len(paths)) as progress:
        for complaint in complaints:
            progress.complain(complaint)
        for poses in estimator.batch(_read_images(paths, waiting, progress)):
            path, pixels = waiting.popleft()
            poses = poses[poses.scores >= asked.min_score]
            drawn = _free_name(out, path, occupied)
            _write(drawn, _encoded(draw_poses(pixels, poses, score_threshold=0), drawn.suffix))
            height, width = pixels.shape[:2]
            found = {"image": path, "width": width, "height": height, "drawn": str(drawn), "poses": poses_json(poses)}
            images.append(found)
            progress.advance()
    _write_json(json_path, {"skeleton": skeleton_json(estimator.skeleton), "images": images})
    _say(f"{len(images)} images, {sum(len(image['poses']) for image in images)} people: {json_path}")
    return _FAILED if progress.complaints else 0


class _Progress:
    """A bar on a terminal if there are many images, and complaints that leave it whole."""

    def __init__(self, total: int) -> None:
        from tqdm import tqdm

        self._bar: Any = tqdm(total=total, unit="image", disable=total <= _HANDFUL or not sys.stderr.isatty())
        self.complaints = 0

    def __enter__(self) -> "_Progress":
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def advance(self) -> None:
        self._bar.update()

    def complain(self, complaint: object) -> None:
        self.complaints += 1
        with self._bar.external_write_mode(file=sys.stderr):
            _complain(complaint)


def _read_images(
    paths: Sequence[str], waiting: "deque[tuple[str, NDArray[np.uint8]]]", progress: _Progress
) -> Iterator["NDArray[np.uint8]"]:
    """Yield the images that can be read, each of which waits with its path, and complain about the others."""
    from bottomup.opencv import read_image

    for path in paths:
        try:
            pixels = read_image(path)
        except InputError as error:
            progress.complain(error)
            progress.advance()
        else:
            waiting.append((path, pixels))
            yield pixels


def _load(asked: argparse.Namespace) -> "PoseEstimator":
    """Load the model, with the decoder that was asked for or its own, and that one's settings."""
    from bottomup import catalogue
    from bottomup.estimator import load

    if asked.model in catalogue.names() and not os.path.isfile(asked.model):
        _fetch(asked.model)  # with a bar, which would not be seen below
    decoder = _decoder(asked) if asked.decoder else None
    options = {"threads": asked.threads, "runtime": asked.runtime, "delegate": asked.delegate}
    with _without_chatter():
        estimator = load(asked.model, decoder=decoder, **options)
    settings = _settings(asked)
    if decoder is not None or not settings:
        return estimator
    own: Any = estimator.decoder
    if own is None:
        raise InputError(f"{asked.model} decodes by itself: leave --max-poses and --score-threshold out")
    return dataclasses.replace(estimator, decoder=dataclasses.replace(own, **settings))


@contextlib.contextmanager
def _without_chatter() -> Iterator[None]:
    """Keep from standard error the lines of mere information that TFLite's C++ writes there."""
    with tempfile.TemporaryFile() as kept:
        standard_error = os.dup(2)
        os.dup2(kept.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(standard_error, 2)
            os.close(standard_error)
            kept.seek(0)
            for line in kept:
                if not line.startswith(b"INFO:"):
                    os.write(2, line)


def _decoder(asked: argparse.Namespace) -> "Decoder":
    """Make the decoder that was asked for."""
    from bottomup.posenet.decoder import PoseNetDecoder

    makers: dict[str, Callable[..., Decoder]] = {
        "best": PoseNetDecoder,
        "coral": PoseNetDecoder.coral,
        "tfjs": PoseNetDecoder.tfjs,
    }
    return makers[asked.decoder](**_settings(asked))


def _settings(asked: argparse.Namespace) -> dict[str, Any]:
    """Return the decoder settings that were given."""
    settings = {"max_poses": asked.max_poses, "score_threshold": asked.score_threshold}
    return {name: value for name, value in settings.items() if value is not None}


def _find_images(sources: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the images that the sources name, each once, and a complaint about each source that names none."""
    found: dict[str, str] = {}
    complaints = []
    for source in sources:
        name = os.path.expanduser(source)
        if os.path.isdir(name):
            paths = [os.path.join(name, entry) for entry in os.listdir(name) if not entry.startswith(".")]
            paths = sorted(path for path in paths if _is_image(path))
            complaint = f"folder {source!r} holds no images"
        else:
            paths = [name] if os.path.exists(name) else sorted(filter(_is_image, glob.glob(name, recursive=True)))
            complaint = f"no image matches {source!r}"
        if not paths:
            complaints.append(complaint)
        for path in paths:
            found.setdefault(os.path.realpath(path), path)
    return list(found.values()), complaints


def _is_image(path: str) -> bool:
    return Path(path).suffix.lower() in _IMAGE_SUFFIXES and os.path.isfile(path)


def _identity(path: str | Path) -> str:
    """Return what two paths of one file have in common, also where capitals do not matter."""
    return os.path.realpath(path).casefold()


def _free_name(folder: Path, source: str, occupied: set[str]) -> Path:
    """Return the source's name in the folder, numbered where it is occupied, and occupy it."""
    stem, suffix = os.path.splitext(os.path.basename(source))
    if suffix.lower() not in _IMAGE_SUFFIXES:
        suffix = ".jpg"
    names = itertools.chain([stem + suffix], (f"{stem}-{number}{suffix}" for number in itertools.count(2)))
    path = next(folder / name for name in names if _identity(folder / name) not in occupied)
    occupied.add(_identity(path))
    return path


def _decode(asked: argparse.Namespace) -> int:
    """Decode the tensors of an .npz file."""
    from bottomup.export import poses_json, skeleton_json

    if asked.json and _identity(asked.json) == _identity(asked.raw):
        raise InputError(f"--json {asked.json} is the file to decode: name another file")
    fields = _read_raw(asked.raw, asked.stride)
    poses = _decoder(asked).decode(fields)
    _write_json(asked.json, {"skeleton": skeleton_json(poses.skeleton), "poses": poses_json(poses)})
    return 0


def _read_raw(path: str, stride: int | None) -> "PoseNetFields":
    """Build fields of the tensors in an .npz file, told apart as a model's outputs are."""
    from bottomup.posenet.fields import PoseNetFields
    from bottomup.tflite.outputs import posenet_names, read_outputs

    arrays = _read_arrays(path)
    try:
        *names, (rows, columns) = posenet_names({name: values.shape for name, values in arrays.items()})
        tensors = {name: _with_units(name, arrays) for name in names if name is not None}
        if stride is None:
            stride = _as_stride(arrays.get("stride", arrays.get("output_stride", 16)))
        fields = read_outputs(tensors, ((columns - 1) * stride + 1, (rows - 1) * stride + 1))
    except BottomupError as error:
        raise InputError(f"{path}: {error}") from error
    assert isinstance(fields, PoseNetFields)
    return fields


def _as_stride(value: Any) -> int:
    """Return a stride out of a file, if it is one."""
    from bottomup.checks import as_number

    stride = as_number(value, "stride")
    if stride not in _STRIDES:
        raise InputError(f"stride must be 8, 16 or 32 input pixels per cell, got {stride}: pass --stride")
    return int(stride)


def _read_arrays(path: str) -> "dict[str, NDArray[Any]]":
    """Return the arrays of an .npz file."""
    import numpy as np

    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except OSError as error:
        raise InputError(f"{path!r} cannot be read: {error.strerror or error}") from error
    except Exception as error:  # whatever numpy and zipfile meet in damaged bytes, or in a file of another kind
        raise InputError(f"{path!r} is not an .npz file of arrays, or is damaged: save it with numpy.savez") from error


def _with_units(name: str, arrays: Mapping[str, Any]) -> "FieldLike":
    """Return a tensor; with its units, which stand beside it in the file, if it is an 8-bit one."""
    from bottomup.checks import Quantized

    values: NDArray[Any] = arrays[name]
    base = name.removesuffix("_q")
    if values.dtype.kind not in "iu" or values.dtype.itemsize != 1:
        return values
    scale = arrays.get(f"{base}_scale")
    zero_point = arrays.get(f"{base}_zero_point", arrays.get(f"{base}_zp"))
    if scale is None or zero_point is None:
        raise InputError(f"{name} holds 8-bit levels: save {base}_scale and {base}_zero_point beside it")
    return Quantized(values, scale, zero_point)


def _list_models(asked: argparse.Namespace) -> int:
    """List the catalogue, a model a line."""
    from bottomup import catalogue

    rows = [("NAME", "AP", "INPUT", "FILE")]
    for card in map(catalogue.get, catalogue.names()):
        ap = _fraction(card.measured[0].ap) if card.measured else ""
        rows.append((card.name, ap, _size(card), _whereabouts(card)))
    for row in _aligned(rows):
        _say(row)
    _say("AP is COCO keypoint AP, measured as bottomup models show NAME says.")
    return 0


def _show_model(asked: argparse.Namespace) -> int:
    """Show a model's card."""
    from bottomup import catalogue

    card = catalogue.get(asked.model)
    stride = " or ".join(map(str, card.output_strides))
    mean, divisor = (
        "/".join(f"{value:g}" for value in dict.fromkeys(values)) for values in (card.input.mean, card.input.divisor)
    )
    rows = [
        ("family", f"{card.family}, skeleton {card.skeleton}, output stride {stride}"),
        ("input", f"{_size(card)}, {card.input.dtype or 'any type'}, {card.input.channel_order}, "
                  f"(pixel - {mean}) / {divisor}"),
    ]  # fmt: skip
    rows += [(f"- {output.role}", f"{output.channels} channels, {output.pattern}") for output in card.outputs]
    if card.decoder:
        rows.append(("decoder", ", ".join(f"{key} {value}" for key, value in card.decoder.items())))
    rows += [("measured", _measured(card, number)) for number in range(len(card.measured))]
    if card.file and not card.file.address:
        photographs = catalogue.get(_FOR_PHOTOGRAPHS)
        rows.append((_FOR_PHOTOGRAPHS, _measured(photographs, 0)))
    if card.delegate:
        rows.append(("delegate", card.delegate))
    rows += [("licence", card.licence or "that of your file"), ("file", _whereabouts(card))]
    if card.file:
        rows += [("- name", card.file.name), ("- SHA-256", card.file.sha256), ("- address", card.file.address)]
        rows.append(("- path", str(card.path)))
    rows.append(("note", card.note))
    _say(f"{card.name}: {card.title}")
    for row in _aligned([row for row in rows if row[1]]):
        _say(row)
    return 0


def _pull_model(asked: argparse.Namespace) -> int:
    """Fetch a model's file and tell where it is."""
    _say(str(_fetch(asked.model)))
    return 0


def _fetch(name: str) -> Path:
    """Fetch a model's file, with a bar on a terminal."""
    from tqdm import tqdm

    from bottomup import catalogue

    file = catalogue.get(name).file
    size = file.size if file else 0
    with tqdm(total=size, unit="B", unit_scale=True, desc=name, disable=not sys.stderr.isatty(), delay=0.5) as bar:
        return catalogue.fetch(name, progress=lambda there, _: bar.update(there - bar.n))


def _size(card: "Card") -> str:
    return "{}x{}".format(*card.input.size) if card.input.size else "any size"


def _whereabouts(card: "Card") -> str:
    """Say where a model's file is."""
    if card.file is None or card.path is None:
        return "yours to bring"
    if card.path.is_file():
        return "in the cache" if card.file.address else "in the package"
    return f"{card.file.size / 1e6:.1f} MB to fetch" if card.file.address else "missing"


def _measured(card: "Card", number: int) -> str:
    """Say how well a model does."""
    measured = card.measured[number]
    ap50 = "" if measured.ap50 is None else f", AP50 {_fraction(measured.ap50)}"
    return f"AP {_fraction(measured.ap)}{ap50}: {measured.decoder}, {measured.images}"


def _fraction(value: float) -> str:
    """Write a number between 0 and 1 as the tables of this field do."""
    return f"{value:.3f}".removeprefix("0")


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Put what stands below one another there."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def _warmup(asked: argparse.Namespace) -> int:
    """Compile every kernel by decoding something small."""
    import time

    started = time.perf_counter()
    from bottomup.posenet.decoder import PoseNetDecoder
    from bottomup.synthetic import posenet_fields, random_poses

    decoders = (PoseNetDecoder(), PoseNetDecoder.coral(), PoseNetDecoder.tfjs(), PoseNetDecoder.tfjs(max_poses=1))
    size = (129, 129)
    for quantized in (False, True):
        fields = posenet_fields(random_poses(1, size), size, quantized=quantized)
        for decoder in decoders:
            decoder.decode(fields)
    seconds = time.perf_counter() - started
    folders = _kernel_caches()
    if folders:
        _say(f"kernels ready in {seconds:.1f} s, kept in {', '.join(folders)}")
    else:
        _say(f"kernels ran in {seconds:.1f} s, but are kept nowhere: set NUMBA_CACHE_DIR to a folder you may write to")
    return 0


def _kernel_caches() -> list[str]:
    """Return the folders where numba keeps the kernels that were compiled, none if it keeps none."""
    modules = [module for name, module in sys.modules.items() if name.startswith("bottomup.")]
    kernels = [value for module in modules for value in vars(module).values() if hasattr(value, "stats")]
    return sorted({kernel.stats.cache_path for kernel in kernels} - {None})


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"folder {str(folder)!r} cannot be made: {error.strerror or error}") from error


def _encoded(image: "NDArray[np.uint8]", suffix: str) -> bytes:
    """Return the image as a file's bytes."""
    from bottomup.opencv import import_cv2

    _, encoded = import_cv2().imencode(suffix, image)
    return bytes(encoded)


def _write(path: str | Path, content: bytes) -> None:
    try:
        Path(path).write_bytes(content)
    except OSError as error:
        raise InputError(f"{str(path)!r} cannot be written: {error.strerror or error}") from error


def _write_json(path: str | Path | None, document: dict[str, Any]) -> None:
    """Write strict JSON, to standard output where there is no path."""
    text = json.dumps(document, allow_nan=False) + "\n"
    if path is None:
        sys.stdout.write(text)
    else:
        _write(path, text.encode())


def _say(line: str) -> None:
    """Print a line, also on terminals that lack its letters."""
    encoding = sys.stdout.encoding or "utf-8"
    print(line.encode(encoding, "backslashreplace").decode(encoding))


def _complain(problem: object) -> None:
    """Print one line on standard error."""
    if isinstance(problem, OSError) and problem.strerror:
        problem = f"{problem.strerror}: {problem.filename}" if problem.filename else problem.strerror
    elif isinstance(problem, MemoryError):
        problem = f"out of memory {problem}"
    print("bottomup:", " ".join(str(problem).split()), file=sys.stderr)


def _forget_output() -> None:
    """Drop what standard output cannot take, lest Python try again at exit and complain itself."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

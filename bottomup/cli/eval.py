"""`bottomup eval`: COCO keypoint accuracy of a model and its decoder."""

import argparse
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bottomup.cli.console import Progress, make_folder, quiet_opencv, say, write, write_json
from bottomup.cli.loading import add_model_options, load_estimator
from bottomup.cli.parsing import MIN_SCORE, add_command, score
from bottomup.errors import BottomupError, InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from bottomup.estimation.estimator import PoseEstimator
    from bottomup.evaluate import ImageMatches, KeypointAP, PartErrors
    from bottomup.evaluate.documents import Truth

_FAILED = 2
_HEADINGS = ("AP", "AP50", "AP75", "APm", "APl", "AR", "AR50", "AR75", "ARm", "ARl")


def add_parser(commands: Any) -> None:
    """Add this command."""
    parser = add_command(
        commands,
        "eval",
        help="measure COCO keypoint accuracy",
        description="Measure a model on images with labelled people.",
        command=evaluate_model,
    )
    parser.add_argument("--images", required=True, metavar="DIR", help="folder with the annotated images")
    parser.add_argument(
        "--annotations",
        required=True,
        metavar="FILE.json",
        help="annotations, such as person_keypoints_val2017.json",
    )
    parser.add_argument(
        "--out", metavar="DIR", default="evaluation", help="folder for results, plot and pictures (default: evaluation)"
    )
    add_model_options(parser)
    parser.add_argument(
        "--min-score",
        type=score,
        metavar="S",
        default=MIN_SCORE,
        help=f"lowest score of poses in the error table and the pictures; AP counts all poses (default: {MIN_SCORE})",
    )


def evaluate_model(asked: argparse.Namespace) -> int:
    """Run a model on labelled images and measure its poses: tables to the terminal, pictures and JSON into a folder."""
    quiet_opencv()
    from bottomup import evaluate
    from bottomup.evaluate.photos import photo_paths
    from bottomup.evaluate.precision import import_faster_coco_eval
    from bottomup.evaluate.report import import_matplotlib

    import_faster_coco_eval(), import_matplotlib()  # what is missing is said before the network runs
    if not Path(asked.images).is_dir():
        raise InputError(f"--images {asked.images} is no folder: name the one that holds the annotations' images")
    truth, out = _read_truth(asked), Path(asked.out)
    paths = photo_paths(truth.images, asked.images)
    present = {number: path for number, path in paths.items() if path.is_file()}
    if not present:
        raise InputError(
            f"none of the {len(paths)} images of {asked.annotations} is in {asked.images}, "
            f"as {next(iter(paths.values()))}: name their folder with --images"
        )
    estimator = load_estimator(asked)
    make_folder(out)
    with Progress(len(present)) as progress:
        if len(present) < len(paths):
            first = next(path for path in paths.values() if not path.is_file())
            progress.complain(
                f"{len(paths) - len(present)} of {len(paths)} images are not in {asked.images}, as {first.name}: "
                "measured on the others"
            )
        results, measured = _estimate(estimator, present, truth, progress)
    if not measured:
        raise InputError(f"none of the {len(present)} images in {asked.images} can be measured")
    figures = evaluate.keypoint_ap(results, truth, image_ids=measured)
    matches = evaluate.match_people(results, truth, min_score=asked.min_score, image_ids=measured)
    errors = evaluate.part_errors(matches)
    written = _write(out, results, figures, errors, matches, asked.images)  # first: whom we print to may leave early
    _print_figures(figures)
    _print_errors(errors, matches, asked.min_score)
    say(f"\n{out}: {', '.join(written)}")
    return _FAILED if progress.complaints else 0


def _read_truth(asked: argparse.Namespace) -> "Truth":
    """Return what is labelled: COCO's parts, those that the annotations name, or --skeleton's with its sigmas."""
    from bottomup.evaluate.documents import read_truth
    from bottomup.skeletons import read_skeleton

    if asked.skeleton is None:
        return read_truth(asked.annotations)
    skeleton = read_skeleton(asked.skeleton)
    try:
        truth = read_truth(asked.annotations)
    except InputError:  # it may be that they name no parts
        return read_truth(asked.annotations, skeleton)
    return read_truth(truth, skeleton) if truth.skeleton.parts == skeleton.parts else truth


def _estimate(
    estimator: "PoseEstimator", paths: dict[int, Path], truth: "Truth", progress: Progress
) -> tuple[list[dict[str, Any]], list[int]]:
    """Return COCO's results of the images, and the ids of those that could be measured."""
    from bottomup.export import coco_results

    measured: list[int] = []
    results: list[dict[str, Any]] = []
    for rank, poses in enumerate(estimator.batch(_read_images(paths, truth, measured, progress))):
        results += coco_results(poses, image_id=measured[rank], category_id=truth.category, skeleton=truth.skeleton)
        progress.advance()
    return results, measured


def _read_images(
    paths: dict[int, Path], truth: "Truth", measured: list[int], progress: Progress
) -> Iterator["NDArray[np.uint8]"]:
    """Yield the images that can be read, and are as large as they were annotated; complain about the others."""
    from bottomup.evaluate.photos import size_problem
    from bottomup.geometry import ImageSize
    from bottomup.images import read_image

    for number, path in paths.items():
        problem: Any
        try:
            pixels = read_image(path)
            problem = size_problem(truth.images[number], ImageSize(pixels.shape[1], pixels.shape[0]))
        except BottomupError as error:
            problem = error
        if problem is not None:
            progress.complain(problem)
            progress.advance()
        else:
            measured.append(number)
            yield pixels


def _print_figures(figures: "KeypointAP") -> None:
    """Print COCO's ten figures."""
    say(f"{figures.num_people} people in {figures.num_images} images")
    say("".join(f"{heading:>7}" for heading in _HEADINGS))
    say("".join(f"{_figure(value):>7}" for value in figures.figures().values()))


def _print_errors(errors: "list[PartErrors]", matches: "list[ImageMatches]", min_score: float) -> None:
    """Print what is wrong with each part."""
    found, false = sum(len(match.pairs) for match in matches), sum(len(match.false) for match in matches)
    people = sum(not person.ignored for match in matches for person in match.people)
    say(f"\nposes of score {min_score:g} and above: {found} of {people} people found, {false} poses of nobody")
    say(f"{'part':<16}{'labelled':>9}{'error':>7}" + "".join(f"{name:>11}" for name in errors[0]._fields[3:]))
    for part in errors:
        shares = "".join(f"{_figure(share):>11}" for share in part[3:])
        say(f"{part.part:<16}{part.labelled:>9}{_figure(part.median_error):>7}{shares}")


def _figure(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3f}"


def _write(
    out: Path,
    results: list[dict[str, Any]],
    figures: "KeypointAP",
    errors: "list[PartErrors]",
    matches: "list[ImageMatches]",
    images: str,
) -> list[str]:
    """Write results, figures, the plot and the contact sheet; return the files' names."""
    from bottomup.evaluate import contact_sheet, plot_precision_recall, worst_images
    from bottomup.images import import_cv2

    written = ["results.json", "figures.json", "precision-recall.png"]
    write_json(out / "results.json", results)
    parts = [{name: _or_none(value) for name, value in part._asdict().items()} for part in errors]
    measured = {name: _or_none(value) for name, value in figures.figures().items()}
    counts = {"num_images": figures.num_images, "num_people": figures.num_people}
    write_json(out / "figures.json", {**measured, **counts, "parts": parts})
    plot_precision_recall(figures, out / "precision-recall.png")
    worst = worst_images(matches)
    if worst:
        written.append("worst.jpg")
        write(out / "worst.jpg", bytes(import_cv2().imencode(".jpg", contact_sheet(worst, images))[1]))
    return written


def _or_none(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value

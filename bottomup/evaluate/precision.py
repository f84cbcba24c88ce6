"""Average precision and recall of keypoints, by faster-coco-eval: the same figures as COCO's own evaluation."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bottomup.errors import MissingRuntimeError
from bottomup.evaluate.documents import Annotations, Results, Truth, read_results, read_truth
from bottomup.skeletons import COCO17, Skeleton

__all__ = ["FIGURES", "OKS_THRESHOLDS", "RECALLS", "KeypointAP", "import_faster_coco_eval", "keypoint_ap"]

#: The axes of `KeypointAP.precision`: the OKS from which a pose is right, and the recalls.
OKS_THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0, 1, 101)


@dataclass(frozen=True, eq=False)
class KeypointAP:
    """COCO's ten keypoint figures, each in [0, 1]; nan where nobody of that size is labelled.

    A pose is right if its object keypoint similarity (OKS) to a labelled
    person reaches a threshold; the figures without a number are means over
    the thresholds .50, .55 ... .95. People are medium between 32^2 and 96^2
    square pixels and large above; smaller ones have no labelled keypoints.

    Attributes
    ----------
    ap, ap50, ap75 : float
        Average precision: at all thresholds, at OKS .5, at OKS .75.
    ap_medium, ap_large : float
        Average precision for people of that size.
    ar, ar50, ar75, ar_medium, ar_large : float
        Average recall, of at most 20 poses an image.
    num_images, num_people : int
        The number of images measured, and of people labelled in them.
    precision : (10, 101) float array
        At `OKS_THRESHOLDS` and `RECALLS`.
    """

    ap: float
    ap50: float
    ap75: float
    ap_medium: float
    ap_large: float
    ar: float
    ar50: float
    ar75: float
    ar_medium: float
    ar_large: float
    num_images: int
    num_people: int
    precision: NDArray[np.float64] = field(repr=False)

    def figures(self) -> dict[str, float]:
        """Return the ten figures by name."""
        return {name: getattr(self, name) for name in FIGURES}


FIGURES = tuple(KeypointAP.__dataclass_fields__)[:10]


def keypoint_ap(
    results: Results,
    annotations: Annotations | Truth,
    *,
    image_ids: Iterable[int] | None = None,
    skeleton: Skeleton | None = None,
) -> KeypointAP:
    """Measure poses against labelled people, as COCO's evaluation does.

    Parameters
    ----------
    results : list of dict, or path
        COCO keypoint results, as `bottomup.export.coco_results` returns: dicts of image_id, category_id, keypoints
        (x, y, score of each part) and score; or a JSON file of them.
    annotations : dict or path
        A COCO document of people with keypoints, such as person_keypoints_val2017.json.
    image_ids : iterable of int, optional
        Measure only these images. Default: all images of the annotations; in an image without results, nobody was
        found.
    skeleton : Skeleton, optional
        Names the parts and has their sigmas. Default: COCO's 17, or those that the annotations' category names. Without
        measured sigmas all are 0.08, and figures can only be compared with others computed that way.

    Returns
    -------
    KeypointAP

    Raises
    ------
    InputError
        If a document is not valid; the message names the entry.
    MissingRuntimeError
        If faster-coco-eval is not installed.

    References
    ----------
    https://cocodataset.org/#keypoints-eval

    Examples
    --------
    >>> keypoint_ap("results.json", "person_keypoints_val2017.json").ap50  # doctest: +SKIP
    0.549
    """
    coco, evaluation_of = import_faster_coco_eval()
    truth = read_truth(annotations, skeleton)
    checked = read_results(results, truth)
    truth = truth.of_images(image_ids)
    checked = [result for result in checked if result["image_id"] in truth.images]
    if not all("bbox" in result for result in checked):  # as COCO does: only if all have one
        for result in checked:
            result.pop("bbox", None)
    labelled = coco(
        {
            "images": [{"id": number} for number in truth.images],
            "annotations": [dict(person) for person in truth.people],
            "categories": [{"id": truth.category, "name": "person"}],
        }
    )
    kappas = None if truth.skeleton.sigmas == COCO17.sigmas else truth.skeleton.kappas
    sigmas = None if kappas is None else [kappa / 2 for kappa in kappas]
    evaluation = evaluation_of(
        labelled, labelled.loadRes(checked), "keypoints", print_function=lambda *_: None, kpt_oks_sigmas=sigmas
    )
    evaluation.params.imgIds, evaluation.params.catIds = sorted(truth.images), [truth.category]
    evaluation.run()
    figures = {
        name: float(figure) if figure > -1 else np.nan
        for name, figure in zip(FIGURES, evaluation.all_stats, strict=True)
    }
    num_people = sum(not person["ignore"] for person in truth.people)
    precision = np.asarray(evaluation.eval["precision"], np.float64)[:, :, 0, 0, 0]
    return KeypointAP(**figures, num_images=len(truth.images), num_people=num_people, precision=precision)


def import_faster_coco_eval() -> tuple[Any, Any]:
    """Return faster-coco-eval's annotations and evaluation."""
    try:
        from faster_coco_eval import COCO, COCOeval_faster
    except ImportError as error:
        raise MissingRuntimeError(
            f"faster-coco-eval cannot be imported, {error}: pip install 'bottomup[eval]'"
        ) from error
    return COCO, COCOeval_faster

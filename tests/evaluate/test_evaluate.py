import contextlib
import io
import json
import sys

import cv2
import numpy as np
import pytest

import bottomup as bu
from bottomup import cli, evaluate
from bottomup.evaluate.documents import read_truth
from bottomup.poses import Poses
from bottomup.skeletons import COCO17
from bottomup.synthetic import random_poses

FIGURES = ("ap", "ap50", "ap75", "ap_medium", "ap_large", "ar", "ar50", "ar75", "ar_medium", "ar_large")
NOSE, LEFT_EYE, RIGHT_EYE = range(3)


def annotation(number, image_id, xy, area=None, visibility=2, **extra):
    xy = np.asarray(xy, float)
    low, size = xy.min(axis=0), np.ptp(xy, axis=0)
    keypoints = np.column_stack([xy, np.broadcast_to(visibility, len(xy))])
    keypoints[keypoints[:, 2] == 0] = 0
    return {
        "id": number,
        "image_id": image_id,
        "category_id": 1,
        "keypoints": keypoints.ravel().tolist(),
        "num_keypoints": int((keypoints[:, 2] > 0).sum()),
        "area": float(size.prod() * 0.6) if area is None else area,
        "bbox": [*low.tolist(), *size.tolist()],
        "iscrowd": 0,
        **extra,
    }


def document(people, num_images, width=640, height=480):
    sizes = {"width": width, "height": height}
    images = [{"id": number, "file_name": f"{number}.png", **sizes} for number in range(num_images)]
    return {"images": images, "annotations": people, "categories": [{"id": 1, "name": "person"}]}


def result(image_id, xy, score=0.9):
    keypoints = np.column_stack([np.asarray(xy, float), np.full(len(xy), 0.5)])
    return {"image_id": image_id, "category_id": 1, "keypoints": keypoints.ravel().tolist(), "score": score}


def grid(left=0, top=0, spacing=100):
    """17 parts far from each other."""
    return np.array([(left + spacing * (part % 5), top + spacing * (part // 5)) for part in range(17)], float)


@pytest.fixture(scope="module")
def noisy():
    """Thirty images of people of all sizes, crowds and unlabelled ones, and results that miss and invent some."""
    random = np.random.default_rng(4)
    people, results = [], []
    for image in range(30):
        for xy in random_poses(random.integers(0, 5), seed=image).xy:
            xy = xy * random.choice([0.15, 0.5, 1])
            labels = random.choice([0, 1, 2], 17) if random.random() > 0.15 else np.zeros(17)
            crowd = int(random.random() < 0.1)
            people.append(annotation(len(people) + 1, image, xy, visibility=labels, iscrowd=crowd))
            if random.random() < 0.8:
                spread = random.choice([0.5, 3, 12])
                found = xy + random.normal(0, spread, xy.shape)
                results.append(result(image, found, score=round(float(random.random()), 1)))
        for xy in random_poses(random.integers(0, 2), seed=1000 + image).xy:
            results.append(result(image, xy, score=float(random.random() / 2)))
    return document(people, 30), results


# Average precision


def pycocotools_figures(results, annotations, image_ids=None):
    coco, evaluation = pytest.importorskip("pycocotools.coco"), pytest.importorskip("pycocotools.cocoeval")
    with contextlib.redirect_stdout(io.StringIO()):
        truth = coco.COCO()
        truth.dataset = json.loads(json.dumps(annotations))
        truth.createIndex()
        evaluation = evaluation.COCOeval(truth, truth.loadRes(json.loads(json.dumps(results))), "keypoints")
        if image_ids is not None:
            evaluation.params.imgIds = image_ids
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return np.where(evaluation.stats > -1, evaluation.stats, np.nan)


def test_figures_are_those_of_pycocotools(noisy):
    annotations, results = noisy
    expected = pycocotools_figures(results, annotations)
    assert 0.2 < expected[0] < 0.9
    np.testing.assert_allclose(
        list(evaluate.keypoint_ap(results, annotations).figures().values()), expected, atol=1e-12
    )


def test_figures_of_results_with_boxes_are_those_of_pycocotools(noisy):
    annotations, results = noisy
    boxed = [{**each, "bbox": [0, 0, 20 + 10 * (number % 9), 60]} for number, each in enumerate(results)]
    figures = list(evaluate.keypoint_ap(boxed, annotations).figures().values())
    np.testing.assert_allclose(figures, pycocotools_figures(boxed, annotations), atol=1e-12)
    assert figures != list(evaluate.keypoint_ap(results, annotations).figures().values())


def test_figures_on_photos_are_those_of_pycocotools(shared):
    pytest.importorskip("pycocotools")
    annotations = json.loads((shared / "photos" / "dev.json").read_text())
    chosen = annotations["images"][::12]
    estimator = bu.load(shared / "models" / "coral" / "posenet_mobilenet_v1_075_481_641_quant_decoder.tflite")
    found = estimator.batch(shared / "photos" / "dev" / image["file_name"] for image in chosen)
    results = [
        each
        for image, poses in zip(chosen, found, strict=True)
        for each in bu.export.coco_results(poses, image_id=image["id"])
    ]
    ids = [image["id"] for image in chosen]
    figures = evaluate.keypoint_ap(results, annotations, image_ids=ids)
    assert figures.ap50 > 0.4
    assert figures.num_images == len(ids)
    expected = pycocotools_figures(results, annotations, ids)
    np.testing.assert_allclose(list(figures.figures().values()), expected, atol=1e-12)


def test_poses_that_are_labels_are_perfect():
    figures = evaluate.keypoint_ap([result(0, grid())], document([annotation(1, 0, grid())], 1))
    assert (figures.ap, figures.ap50, figures.ar, figures.ap_large) == (1, 1, 1, 1)
    assert (figures.num_images, figures.num_people, figures.precision.shape) == (1, 1, (10, 101))


def test_nobody_medium_is_no_figure():
    assert np.isnan(evaluate.keypoint_ap([result(0, grid())], document([annotation(1, 0, grid())], 1)).ap_medium)


def test_nobody_found_is_zero():
    assert evaluate.keypoint_ap([], document([annotation(1, 0, grid())], 1)).figures()["ap"] == 0


def test_images_without_results_count():
    people = [annotation(number + 1, number, grid()) for number in range(2)]
    assert evaluate.keypoint_ap([result(0, grid())], document(people, 2)).ar == 0.5


def test_image_ids_choose():
    people = [annotation(number + 1, number, grid()) for number in range(2)]
    results = [result(0, grid()), result(1, grid(left=300), score=1)]
    assert evaluate.keypoint_ap(results, document(people, 2), image_ids=[0]).ap == 1
    assert evaluate.keypoint_ap(results, document(people, 2), image_ids=[1]).ap == 0


def test_files_will_do_and_documents_are_not_written_to(noisy, tmp_path):
    annotations, results = noisy
    before = json.dumps([annotations, results])
    (tmp_path / "truth.json").write_text(json.dumps(annotations))
    (tmp_path / "results.json").write_text(json.dumps(results))
    from_files = evaluate.keypoint_ap(tmp_path / "results.json", str(tmp_path / "truth.json"))
    assert from_files.figures() == evaluate.keypoint_ap(results, annotations).figures()
    assert json.dumps([annotations, results]) == before


# What is refused

ONE = document([annotation(1, 0, grid())], 1)


def without(key):
    return document([{name: value for name, value in annotation(1, 0, grid()).items() if name != key}], 1)


@pytest.mark.parametrize(
    ("annotations", "complaint"),
    [
        ("missing.json", "cannot be read: No such file"),
        ([1, 2], "must be a COCO document .* got a list of int"),
        ({"images": []}, "must be a COCO document"),
        ({"images": [{"file_name": "a.jpg"}], "annotations": []}, "every image needs an 'id'"),
        ({"images": 3, "annotations": []}, "images must be a list of dicts, got 3"),
        (without("keypoints"), "no annotation with keypoints: pass COCO's person_keypoints file"),
        (without("area"), "annotation 1 needs 'area'"),
        (without("bbox"), "annotation 1 needs 'bbox'"),
        (document([annotation(1, 7, grid())], 1), "annotation 1 belongs to image 7"),
        (document([annotation(1, 0, grid()[:4])], 1), "must be 51 numbers.* got 12 numbers"),
        (document([annotation(1, 0, grid(), visibility=0)], 1), "nothing to measure against"),
        (
            document([annotation(1, 0, grid()), annotation(2, 0, grid(), category_id=3)], 1),
            "of one category, people, got category_id 1 and 3",
        ),
        (document([annotation(1, 0, grid(), category_id=[1])], 1), r"got category_id \[1\]"),
        (document([annotation(1, [0], grid())], 1), r"annotation 1 belongs to image \[0\]"),
        (document([annotation(1, 0, grid(), iscrowd="x")], 1), "annotation 1: iscrowd must be 0 or 1, got 'x'"),
        (document([annotation(1, 0, grid(), bbox="abcd")], 1), "annotation 1 needs 'bbox'"),
        (document([annotation(1, 0, grid(), bbox=[0, 0, "w", 1])], 1), "annotation 1 needs 'bbox'"),
    ],
)
def test_annotations_that_cannot_be_are_refused(annotations, complaint):
    with pytest.raises(bu.InputError, match=complaint):
        evaluate.keypoint_ap([], annotations)


@pytest.mark.parametrize(
    ("results", "complaint"),
    [
        ("missing.json", "results 'missing.json' cannot be read"),
        ({"poses": []}, "must be a list of COCO results"),
        ([3], "must be a list of dicts, got a list of int"),
        ([{"image_id": 0}], r"results\[0\] lacks keypoints, score: make it with bottomup.export.coco_results"),
        ([result(5, grid())], "belongs to image 5, which the annotations lack"),
        ([result(0, grid(), score=np.nan)], "score must be a finite number, got nan"),
        ([result(0, grid() * np.nan)], "COCO writes 0, 0, 0"),
        ([result(0, grid()[:3])], "51 numbers"),
        ([{**result(0, grid()), "category_id": 0}], "category_id 0, people in the annotations have 1"),
        ([{**result(0, grid()), "image_id": [0]}], r"belongs to image \[0\]"),
        ([{**result(0, grid()), "bbox": "abcd"}], r"results\[0\] needs 'bbox'"),
    ],
)
def test_results_that_cannot_be_are_refused(results, complaint):
    with pytest.raises(bu.InputError, match=complaint):
        evaluate.keypoint_ap(results, ONE)


def test_a_file_that_is_no_json_is_refused(tmp_path):
    (tmp_path / "photo.json").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(bu.InputError, match="are not JSON"):
        evaluate.keypoint_ap([], tmp_path / "photo.json")


def test_image_ids_of_no_image_are_refused():
    with pytest.raises(bu.InputError, match="image_ids must be ids of images in the annotations, got 9"):
        evaluate.keypoint_ap([], ONE, image_ids=[9])


@pytest.mark.parametrize("library", ["faster_coco_eval", "matplotlib"])
def test_a_missing_library_is_named_with_its_extra(library, monkeypatch, tmp_path):
    figures = evaluate.keypoint_ap([], ONE)
    monkeypatch.setitem(sys.modules, library, None)
    calls = {
        "faster_coco_eval": lambda: evaluate.keypoint_ap([], ONE),
        "matplotlib": lambda: evaluate.plot_precision_recall(figures, tmp_path / "plot.png"),
    }
    with pytest.raises(bu.MissingRuntimeError, match=r"pip install 'bottomup\[eval\]'"):
        calls[library]()


# Who is who


def test_similarity_is_cocos(noisy):
    annotations, results = noisy
    coco, evaluation = pytest.importorskip("pycocotools.coco"), pytest.importorskip("pycocotools.cocoeval")
    with contextlib.redirect_stdout(io.StringIO()):
        truth = coco.COCO()
        truth.dataset = json.loads(json.dumps(annotations))
        truth.createIndex()
        evaluation = evaluation.COCOeval(truth, truth.loadRes(json.loads(json.dumps(results))), "keypoints")
        evaluation.evaluate()
    compared = 0
    for match in evaluate.match_people(results, annotations):
        theirs = evaluation.computeOks(match.image["id"], 1)
        if len(theirs):
            ours = np.column_stack([evaluate.similarity(match.poses, person) for person in match.people])
            np.testing.assert_allclose(ours, theirs, atol=1e-9)
            compared += theirs.size
    assert compared > 50


def test_the_better_pose_takes_the_person_and_the_other_is_nobodys():
    results = [result(0, grid(left=2), score=0.3), result(0, grid(left=4), score=0.8)]
    (match,) = evaluate.match_people(results, ONE)
    assert match.scores.tolist() == [0.8, 0.3]
    assert [pair[:2] for pair in match.pairs] == [(0, 0)]
    assert match.false == [1]


def test_a_pose_of_a_crowd_is_neither_someones_nor_false():
    people = [annotation(1, 0, grid()), annotation(2, 0, grid(left=2000), iscrowd=1)]
    results = [result(0, grid()), result(0, grid(left=2001), score=0.5)]
    (match,) = evaluate.match_people(results, document(people, 1))
    assert (len(match.pairs), match.false) == (1, [])


def test_poses_below_the_score_are_left_out():
    (match,) = evaluate.match_people([result(0, grid(), score=0.1)], ONE, min_score=0.2)
    assert (match.pairs, match.false, len(match.poses)) == ([], [], 0)


def test_errors_of_each_kind_are_told_apart():
    mine, theirs = grid(), grid(left=1000)
    people = [annotation(number, 0, xy, area=10_000) for number, xy in ((1, mine), (2, theirs))]
    found = mine.copy()
    found[NOSE] += (4, 0)  # sigma .026, 100 across: similarity .74
    found[LEFT_EYE] = mine[RIGHT_EYE]
    found[RIGHT_EYE] = theirs[LEFT_EYE]
    found[3] = 777, 77
    results = [result(0, found), result(0, theirs, score=0.5)]
    results[0]["keypoints"][12:15] = 0, 0, 0
    (match,) = evaluate.match_people(results, document(people, 1))
    table = evaluate.part_errors([match._replace(pairs=match.pairs[:1])])
    assert [part.part for part in table] == list(COCO17.parts)
    kinds = [[name for name in part._fields[3:] if getattr(part, name) == 1] for part in table]
    assert kinds[:5] == [["jitter"], ["inversion"], ["swap"], ["miss"], ["absent"]]
    assert all(kind == ["good"] for kind in kinds[5:])
    assert table[NOSE].median_error == pytest.approx(0.04)
    assert np.isnan(table[4].median_error)


def test_parts_that_nobody_has_are_no_figure():
    labels = np.where(np.arange(17) == NOSE, 0, 2)
    table = evaluate.part_errors(
        evaluate.match_people([result(0, grid())], document([annotation(1, 0, grid(), visibility=labels)], 1))
    )
    assert table[NOSE].labelled == 0
    assert np.isnan(table[NOSE].good)
    assert table[LEFT_EYE].good == 1


# Pictures


def three_images():
    """One perfect image, one with a person missed, one with a false pose of score .3."""
    people = [
        annotation(1, 0, grid(spacing=20)),
        annotation(2, 1, grid(spacing=20)),
        annotation(3, 2, grid(spacing=20)),
    ]
    results = [result(0, grid(spacing=20)), result(2, grid(spacing=20)), result(2, grid(left=400), score=0.3)]
    return evaluate.match_people(results, document(people, 3))


def test_the_worst_images_come_first_and_perfect_ones_not_at_all():
    assert [match.image["id"] for match in evaluate.worst_images(three_images())] == [1, 2]
    assert [match.image["id"] for match in evaluate.worst_images(three_images(), count=1)] == [1]


def test_the_contact_sheet_shows_labels_left_and_poses_right():
    grey = np.full((200, 300, 3), 100, np.uint8)
    missed = evaluate.worst_images(three_images(), count=1)
    sheet = evaluate.contact_sheet(missed, lambda name: grey)
    drawn = np.abs(sheet[:200].astype(int) - 100).max(axis=2) > 50
    left, right = np.hsplit(drawn[:, : sheet.shape[1] // 2 * 2], 2)
    margin = right[:, -6:]
    assert left.sum() - margin.sum() > 300
    assert right.sum() == margin.sum()


def test_a_sheet_of_nothing_is_refused():
    with pytest.raises(bu.InputError, match="at least one image"):
        evaluate.contact_sheet([], ".")


def test_the_plot_is_a_picture(noisy, tmp_path):
    figures = evaluate.keypoint_ap(noisy[1], noisy[0])
    evaluate.plot_precision_recall(figures, tmp_path / "plot.png")
    picture = cv2.imread(str(tmp_path / "plot.png"))
    assert picture.shape == (720, 960, 3)
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 100


@pytest.mark.parametrize("name", ["plot.xyz", "missing/plot.png"])
def test_a_plot_that_cannot_be_written_is_refused(noisy, tmp_path, name):
    with pytest.raises(bu.InputError, match="cannot be written"):
        evaluate.plot_precision_recall(evaluate.keypoint_ap([], ONE), tmp_path / name)


# The command


class FakeEstimator:
    """Finds, in an image of one grey level, one person at that offset."""

    skeleton, decoder = COCO17, None

    def batch(self, images):
        for image in images:
            keypoints = np.ones((1, 17, 3), np.float32)
            keypoints[0, :, :2] = grid(left=float(image[0, 0, 0]), spacing=20)
            yield Poses(keypoints, [0.5], COCO17)


@pytest.fixture
def run(capsys, tmp_path, monkeypatch):
    """Run `bottomup eval` on three images, of which the pose is right in 0 and 1; gives status, output, complaints."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("bottomup.estimation.loading.load", lambda *_, **__: FakeEstimator())
    people = [annotation(number + 1, number, grid(spacing=20)) for number in range(3)]
    (tmp_path / "truth.json").write_text(json.dumps(document(people, 3, 300, 100)))
    (tmp_path / "photos").mkdir()
    for number, level in enumerate((0, 0, 200)):
        cv2.imwrite(f"photos/{number}.png", np.full((100, 300, 3), level, np.uint8))

    def run(*arguments, images="photos", annotations="truth.json"):
        status = cli.main(["eval", "--images", images, "--annotations", annotations, *arguments])
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


def test_it_prints_the_figures_and_writes_results_plot_and_sheet(run, tmp_path):
    status, printed, complaints = run()
    assert (status, complaints) == (0, "")
    assert "3 people in 3 images" in printed
    assert "2 of 3 people found, 1 poses of nobody" in printed
    assert "nose" in printed
    out = tmp_path / "evaluation"
    figures = json.loads((out / "figures.json").read_text())
    assert figures["ar"] == pytest.approx(2 / 3)
    assert figures["ap_large"] is None or 0 <= figures["ap_large"] <= 1
    assert [part["part"] for part in figures["parts"]] == list(COCO17.parts)
    measured = evaluate.keypoint_ap(out / "results.json", tmp_path / "truth.json")
    assert {name: figures[name] for name in ("ap", "ap50")} == {"ap": measured.ap, "ap50": measured.ap50}
    assert cv2.imread(str(out / "worst.jpg")) is not None
    assert cv2.imread(str(out / "precision-recall.png")) is not None


def test_images_that_are_missing_or_unreadable_are_left_out_of_the_measure(run, tmp_path):
    (tmp_path / "photos" / "2.png").unlink()
    status, printed, complaints = run()
    assert status == 2
    assert complaints == "bottomup: 1 of 3 images are not in photos, as 2.png: measured on the others\n"
    assert "2 people in 2 images" in printed
    (tmp_path / "photos" / "1.png").write_bytes(b"no image")
    status, printed, complaints = run()
    assert status == 2
    assert complaints.count("\n") == 2
    assert "1 people in 1 images" in printed
    assert json.loads((tmp_path / "evaluation" / "figures.json").read_text())["ap"] == 1


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"images": "elsewhere"}, "--images elsewhere is no folder"),
        ({"images": "."}, "none of the 3 images of truth.json is in ., as 0.png"),
        ({"annotations": "missing.json"}, "annotations 'missing.json' cannot be read"),
        ({"annotations": "photos/0.png"}, "are not JSON"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(run, arguments, complaint):
    status, printed, complaints = run(**arguments)
    assert (status, printed) == (2, "")
    assert complaint in complaints
    assert complaints.count("\n") == 1


def test_images_of_which_none_can_be_read_are_an_error(run, tmp_path):
    for number in range(3):
        (tmp_path / "photos" / f"{number}.png").write_bytes(b"")
    status, _, complaints = run()
    assert status == 2
    assert complaints.splitlines()[-1] == "bottomup: none of the 3 images in photos can be measured"


def test_a_missing_library_is_said_before_the_network_runs(run, monkeypatch):
    monkeypatch.setattr(FakeEstimator, "batch", None)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    status, _, complaints = run()
    assert status == 2
    assert "bottomup[eval]" in complaints


def test_annotations_without_file_names_are_refused(run, tmp_path):
    truth = document([annotation(1, 0, grid())], 1)
    del truth["images"][0]["file_name"]
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    assert "image 0 of the annotations has no 'file_name'" in run()[2]
    assert read_truth(truth).category == 1


# Numbers, parts and photos of other kinds


def test_numpy_numbers_and_arrays_are_taken(noisy):
    annotations, results = noisy
    arrays = [
        {
            "image_id": np.int64(each["image_id"]),
            "category_id": np.int32(1),
            "keypoints": np.array(each["keypoints"]) if number % 2 else [np.float64(x) for x in each["keypoints"]],
            "score": np.float64(each["score"]),
        }
        for number, each in enumerate(results)
    ]
    assert evaluate.keypoint_ap(arrays, annotations).figures() == evaluate.keypoint_ap(results, annotations).figures()


HUGE = 10**400
HUGER = 10**5000  # more digits than Python prints


@pytest.mark.parametrize(
    ("annotations", "complaint"),
    [
        (document([annotation(1, 0, grid(), area=HUGE)], 1), "annotation 1 needs 'area'"),
        (document([annotation(1, 0, grid(), bbox=[0, 0, HUGE, 1])], 1), "annotation 1 needs 'bbox'"),
        (document([annotation(1, 0, grid(), keypoints=[HUGE] * 51)], 1), "keypoints must be finite numbers"),
        (document([annotation(1, HUGE, grid())], 1), "annotation 1 belongs to image 10000"),
        (document([annotation(1, 0, grid(), category_id=HUGE)], 1), "one category, people"),
        (document([annotation(1, 0, grid(), iscrowd=HUGE)], 1), "iscrowd must be 0 or 1"),
        ({"images": [{"id": HUGE}], "annotations": []}, "every image needs an 'id'"),
        (document([annotation(1, 0, grid(), area=True)], 1), "annotation 1 needs 'area'"),
        (document([annotation(1, HUGER, grid())], 1), "to image a number of more than"),
    ],
)
def test_numbers_that_nobody_can_count_to_are_refused_in_one_line(annotations, complaint):
    with pytest.raises(bu.InputError, match=complaint) as caught:
        read_truth(annotations)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("name", ["image_id", "score", "keypoints", "bbox"])
def test_results_with_such_numbers_are_refused(name):
    value = {"keypoints": [HUGE] * 51, "bbox": [HUGE] * 4}.get(name, HUGER)
    with pytest.raises(bu.InputError, match=r"results\[0\]") as caught:
        evaluate.keypoint_ap([{**result(0, grid()), name: value}], document([annotation(1, 0, grid())], 1))
    assert len(str(caught.value)) < 300


HAND = bu.Skeleton("hand", ("palm", "thumb", "index"), ((0, 1), (0, 2)), sigmas=(0.03, 0.05, 0.07))
FINGERS = np.array([(10.0, 10), (60, 20), (20, 80)])


def hands(**category):
    truth = document([annotation(1, 0, FINGERS, area=4000.0)], 1)
    return {**truth, "categories": [{"id": 1, "name": "hand", "keypoints": list(HAND.parts), **category}]}


@pytest.mark.parametrize(("skeleton", "sigmas"), [(HAND, HAND.sigmas), (None, (0.08,) * 3)])
def test_other_parts_are_measured_with_their_own_sigmas(skeleton, sigmas):
    off = FINGERS + (5, 0)
    alike = np.exp(-25 / (2 * 4000 * (2 * np.array(sigmas)) ** 2))
    [match] = evaluate.match_people([result(0, off)], hands(), skeleton=skeleton)
    assert match.pairs[0][2] == pytest.approx(alike.mean())
    figures = evaluate.keypoint_ap([result(0, off)], hands(), skeleton=skeleton)
    assert figures.ap == pytest.approx(sum(alike.mean() >= threshold for threshold in np.linspace(0.5, 0.95, 10)) / 10)
    assert [error.part for error in evaluate.part_errors([match])] == list(HAND.parts)
    assert evaluate.contact_sheet([match], lambda name: np.zeros((100, 100, 3), np.uint8)).size


def test_a_category_may_list_sigmas_and_coco_is_coco_however_it_is_spelled():
    assert read_truth(hands(sigmas=[0.1, 0.2, 0.3])).skeleton.sigmas == (0.1, 0.2, 0.3)
    coco = document([annotation(1, 0, grid())], 1)
    named = {**coco, "categories": [{"id": 1, "keypoints": [part.title().replace("_", " ") for part in COCO17.parts]}]}
    assert read_truth(coco).skeleton is read_truth(named).skeleton is COCO17
    with pytest.raises(bu.InputError, match="got 9 numbers: for other parts, name them in the category or pass"):
        read_truth(hands(keypoints=None))
    with pytest.raises(bu.InputError, match="skeleton must have the annotations' 17 parts, got 'hand' with 3"):
        evaluate.keypoint_ap([], read_truth(coco), skeleton=HAND)


@pytest.mark.parametrize(
    "name", ["../secret.png", "/etc/passwd", "a/../../b.png", "C:\\x.png", "..\\x.png", "\\\\host\\x.png", "a\0.png"]
)
def test_file_names_that_lead_out_of_the_folder_are_refused(name, tmp_path):
    with pytest.raises(bu.InputError, match=r"image 7 of the annotations is .* which leads out of the folder"):
        evaluate.photo_paths({7: {"file_name": name}}, tmp_path)
    inside = {7: {"file_name": "val/..a.png"}}
    assert evaluate.photo_paths(inside, tmp_path) == {7: tmp_path / "val" / "..a.png"}


def test_photos_of_another_size_than_annotated_are_said_to_be():
    record = {"file_name": "a.jpg", "width": 640, "height": 480}
    assert evaluate.size_problem(record, bu.ImageSize(640, 480)) is None
    assert evaluate.size_problem({"file_name": "a.jpg"}, bu.ImageSize(320, 240)) is None
    small = evaluate.size_problem(record, bu.ImageSize(320, 240))
    assert small.startswith("a.jpg is 320 x 240 pixels, the annotations say 640 x 480")
    assert "stored" in evaluate.size_problem(record, bu.ImageSize(480, 640))


def test_photos_of_another_size_are_left_out_of_the_measure(run, tmp_path):
    truth = json.loads((tmp_path / "truth.json").read_text())
    truth["images"][0].update(width=600, height=200)
    truth["images"][1].update(width=100, height=300)
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    status, printed, complaints = run()
    assert status == 2
    assert "0.png is 300 x 100 pixels, the annotations say 600 x 200" in complaints
    assert "1.png is 300 x 100 pixels once upright, the annotations say 100 x 300" in complaints
    assert "1 people in 1 images" in printed


def test_annotations_that_lead_out_of_the_folder_are_refused(run, tmp_path):
    truth = json.loads((tmp_path / "truth.json").read_text())
    truth["images"][1]["file_name"] = str(tmp_path / "photos" / "1.png")
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    status, printed, complaints = run()
    assert (status, printed) == (2, "")
    assert "image 1 of the annotations is" in complaints


# Limits, just inside and just outside


def at(similarity, part, area):
    """Return how far a keypoint of that similarity lies off, in pixels."""
    return np.sqrt(-2 * np.log(similarity) * area) * COCO17.kappas[part]


@pytest.mark.parametrize(
    ("similarity", "kind"), [(0.851, "good"), (0.849, "jitter"), (0.501, "jitter"), (0.499, "miss")]
)
def test_kinds_of_errors_begin_where_the_reference_says(similarity, kind):
    found = grid(spacing=1000)
    found[NOSE] += (0, at(similarity, NOSE, 10_000))
    truth = document([annotation(1, 0, grid(spacing=1000), area=10_000)], 1)
    table = evaluate.part_errors(evaluate.match_people([result(0, found)], truth))
    assert getattr(table[NOSE], kind) == 1


@pytest.mark.parametrize(("similarity", "num_pairs"), [(0.101, 1), (0.099, 0)])
def test_poses_are_someones_from_a_tenth_on(similarity, num_pairs):
    truth = document([annotation(1, 0, grid(), area=10_000, visibility=[2] + [0] * 16)], 1)
    (match,) = evaluate.match_people([result(0, grid() + (at(similarity, NOSE, 10_000), 0))], truth)
    assert len(match.pairs) == num_pairs


def test_at_most_twenty_poses_of_an_image_count():
    many = [result(0, grid(left=5000), score=0.9) for _ in range(19)]
    truth = document([annotation(1, 0, grid())], 1)
    for more, num_pairs in ((0, 1), (1, 0)):
        results = [*many, *many[:more], result(0, grid(), score=0.5)]
        (match,) = evaluate.match_people(results, truth)
        assert (len(match.poses), len(match.pairs)) == (20, num_pairs)


@pytest.mark.parametrize("category", [{"keypoints": list(HAND.parts)}, {"keypoints": None}], ids=["named", "unnamed"])
def test_the_command_measures_other_parts_with_their_sigmas(run, tmp_path, monkeypatch, category):
    class Hands:
        skeleton, decoder = HAND, None

        def batch(self, images):
            for _ in images:
                keypoints = np.ones((1, 3, 3), np.float32)
                keypoints[0, :, :2] = FINGERS + (5, 0)
                yield Poses(keypoints, [0.5], HAND)

    monkeypatch.setattr("bottomup.estimation.loading.load", lambda *_, **__: Hands())
    truth = {**hands(**category), "images": [{"id": 0, "file_name": "0.png", "width": 300, "height": 100}]}
    (tmp_path / "hands.json").write_text(json.dumps(truth))
    entry = {"name": "hand", "keypoints": list(HAND.parts), "skeleton": [[1, 2], [1, 3]], "sigmas": list(HAND.sigmas)}
    (tmp_path / "hand.json").write_text(json.dumps(entry))
    status, printed, complaints = run("--skeleton", "hand.json", annotations="hands.json")
    assert (status, complaints) == (0, "")
    assert "thumb" in printed
    expected = evaluate.keypoint_ap([result(0, FINGERS + (5, 0), score=0.5)], hands(), skeleton=HAND)
    assert json.loads((tmp_path / "evaluation" / "figures.json").read_text())["ap"] == pytest.approx(expected.ap)

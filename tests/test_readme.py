"""The examples of the README, the guide and the families' pages run as printed, in a folder with the files named."""

import json
import re
import shlex
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

import bottomup as bu
from bottomup import cli
from models.train.scenes import render_scene

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "bottomup"
PAGES = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in (ROOT / "README.md", *sorted(PACKAGE.glob("guide/*.md")), *sorted(PACKAGE.glob("*/README.md")))
}
BODYPIX = ROOT.parent / "shared" / "models" / "bodypix" / "bodypix_mobilenet_v1_075_640_480_16_quant_decoder.tflite"
SIZE = 320, 240
# The model that ships stands in for those that would be downloaded, and a clip for a camera.
STAND_INS = [
    (r'"(coral|movenet|omz)-[\w-]+"(, )?', ""),
    (r" --model (coral|movenet|omz)-[\w-]+", ""),
    ("predict 0 ", "predict clip.mp4 "),
]
NEEDED = {"data_frame": "pandas", "supervision": "supervision", "evaluat": "faster_coco_eval", "h264": "av"}


def blocks(language):
    """Return the pages' blocks in a language, each with its page's name."""
    return [
        pytest.param(text, id=f"{page}-{number}")
        for page, content in PAGES.items()
        for number, text in enumerate(re.findall(rf"^```{language}\n(.*?)^```$", content, re.DOTALL | re.MULTILINE))
    ]


def commands():
    """Return the pages' command lines; those that are slow without compilation are marked."""
    lines = [line for block in blocks("sh") for line in block.values[0].splitlines() if line.startswith("bottomup ")]
    slow = ("bottomup inspect", "bottomup warmup", "bottomup benchmark")
    return [pytest.param(line, marks=[pytest.mark.slow] if line.startswith(slow) else []) for line in lines]


def skip_without(example):
    for text, module in NEEDED.items():
        if text in example:
            pytest.importorskip(module)


def stand_in(example):
    for pattern, replacement in STAND_INS:
        example = re.sub(pattern, replacement, example)
    return example


PYTHON, COMMANDS = blocks("python"), commands()


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A folder of all that the README's examples read."""
    folder = tmp_path_factory.mktemp("readme")
    (folder / "val2017").mkdir()
    (folder / "photos").mkdir()
    (folder / "evaluation").mkdir()
    scenes = {name: render_scene(seed, SIZE) for seed, name in enumerate(["street.jpg", "square.jpg"], start=2)}
    for name, scene in scenes.items():
        for place in ("", "val2017", "photos"):
            cv2.imwrite(str(folder / place / name), scene.image)
    clip = cv2.VideoWriter(str(folder / "clip.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 10, SIZE)
    for shift in range(3):
        clip.write(np.roll(scenes["street.jpg"].image, 4 * shift, axis=1))
    clip.release()
    outputs = _run_network(scenes["street.jpg"].image)
    np.savez(folder / "raw.npz", **{name: outputs[name] for name in ("heatmaps", "short_offsets", "mid_offsets")})
    truth, results = _label(scenes)
    (folder / "person_keypoints_val2017.json").write_text(json.dumps(truth))
    (folder / "evaluation" / "results.json").write_text(json.dumps(results))
    return folder


def _run_network(image):
    network = bu.load("bottomup-tiny").network
    pixels = cv2.resize(image, (321, 241))[..., ::-1]
    return network.run(np.float32(pixels)[None] / 127.5 - 1)


def _label(scenes):
    """Return COCO's document of the scenes' people, and results that find them all."""
    images, annotations, results = [], [], []
    for image_id, (name, scene) in enumerate(scenes.items(), start=1):
        images.append({"id": image_id, "file_name": name, "width": SIZE[0], "height": SIZE[1]})
        results += bu.export.coco_results(scene.poses, image_id=image_id)
        for keypoints, mask in zip(scene.keypoints, scene.masks, strict=True):
            rows, columns = np.nonzero(mask)
            left, top = int(columns.min()), int(rows.min())
            annotations.append({
                "id": len(annotations) + 1,
                "image_id": image_id,
                "category_id": 1,
                "iscrowd": 0,
                "area": int(mask.sum()),
                "bbox": [left, top, int(columns.max()) - left + 1, int(rows.max()) - top + 1],
                "num_keypoints": int((keypoints[:, 2] > 0).sum()),
                "keypoints": keypoints.astype(float).ravel().tolist(),
            })  # fmt: skip
    return {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "person"}]}, results


@pytest.fixture
def folder(files, tmp_path, monkeypatch):
    """A copy of that folder for one example, which is run in it."""
    shutil.copytree(files, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_there_are_examples_of_everything():
    assert len(PYTHON) >= 12
    shown = {shlex.split(command.values[0])[1] for command in COMMANDS}
    assert shown >= {"predict", "decode", "models", "warmup", "benchmark", "eval", "inspect"}


@pytest.mark.parametrize("example", PYTHON)
def test_python_runs(example, folder):
    skip_without(example)
    exec(compile(stand_in(example), "README.md", "exec"), {"__name__": "readme"})


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_run(command, folder, capsys):
    skip_without(command)
    if command.startswith("bottomup serve"):
        pytest.skip("runs until Ctrl-C: see tests/serving")
    model = []
    if "--parts" in command:  # the model that ships has no parts
        if not BODYPIX.exists():
            pytest.skip("the model with body parts is not beside this checkout")
        model = ["--model", str(BODYPIX)]
    assert cli.main(shlex.split(stand_in(command + " "), comments=True)[1:] + model) == 0
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(
    "text", [text for text in re.findall(r"`(bottomup [^`]+)`", "".join(PAGES.values())) if "COMMAND" not in text]
)
def test_commands_in_the_text_are_understood(text):
    assert cli._parser().parse_args(shlex.split(text)[1:]).command is not None


def test_every_extra_is_named():
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    extras = re.findall(
        r"^([\w-]+) = \[", project.split("[project.optional-dependencies]")[1].split("\n[")[0], re.MULTILINE
    )
    assert len(extras) > 8
    text = "".join(PAGES.values())
    assert [extra for extra in extras if f"[{extra}]" not in text and f",{extra}]" not in text] == []


def test_links_between_pages_lead_somewhere():
    for page, content in PAGES.items():
        for target in re.findall(r"\]\(([^)#:]+)\)", content):
            assert (ROOT / page).parent.joinpath(target).exists(), f"{page} links to {target}"


def test_the_readme_is_short():
    assert PAGES["README.md"].count("\n") <= 220

"""The inspect page in a real browser."""

import numpy as np
import pytest
from inspection.browser import CHROMIUM, open_browser

import bottomup as bu
from bottomup.inspection import inspect_fields
from bottomup.synthetic import box_fields, center_fields, paf_fields, posenet_fields, random_poses, tag_fields

pytestmark = [pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed"), pytest.mark.slow]
SIZE = (192, 160)
PHOTO = np.full((160, 192, 3), 90, np.uint8)
FAMILIES = {
    "posenet": (posenet_fields, bu.PoseNetDecoder(), "coral"),
    "paf": (paf_fields, bu.PafDecoder(), "openpose"),
    "centers": (center_fields, bu.CenterDecoder(), "movenet"),
    "tags": (tag_fields, bu.TagDecoder(), "omz"),
    "boxes": (box_fields, bu.BoxDecoder(), "rtmlib"),
}


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """A page of each family, with two decoders and labels."""
    folder = tmp_path_factory.mktemp("pages")
    people = random_poses(2, SIZE, seed=1)
    for name, (make, decoder, other) in FAMILIES.items():
        page = inspect_fields(PHOTO, make(people, SIZE), decoder, compare=other, labels=people, title=f"<b>{name}</b>")
        (folder / f"{name}.html").write_text(page, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def browser():
    with open_browser() as page:
        yield page


@pytest.fixture
def open_page(browser, pages):
    def opened(family="posenet", address="", **screen):
        browser.size(**{"width": 1200, "height": 800, **screen})
        browser.complaints.clear()
        browser.open(pages / f"{family}.html", address)
        return browser

    yield opened
    assert browser.complaints == []


CHECKSUM = """(() => {
  const canvas = document.querySelector("canvas");
  const all = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  return all.reduce((sum, level) => (31 * sum + level) % 1000003, 0);
})()"""
ABOVE_THE_PHOTO = """(() => {
  const canvas = document.querySelector("canvas"), top = photoToScreen([-0.5, -0.5])[1];
  const all = canvas.getContext("2d").getImageData(0, 0, canvas.width, Math.floor(top) - 1).data;
  return [top, Math.max(...all.filter((_, at) => at % 4 === 3))];
})()"""


def drawn(page):
    """Return a number that stands for what the first canvas shows."""
    return page.get(CHECKSUM)


def text_of(page, selector):
    return page.get(f"document.querySelector({selector!r}).textContent")


def slide(page, number, value):
    """Move one of the decoder's sliders."""
    page.get(
        f"(slider => {{ slider.value = {value}; slider.dispatchEvent(new Event('input')); }})"
        f"([...document.querySelectorAll('#settings input')].at({number}))"
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_it_opens_with_the_poses_and_layers_switch_on_one_by_one(family, open_page):
    page = open_page(family, "#view=0")
    assert page.get("document.documentElement.dataset.poses") == "2"
    assert text_of(page, "h1") == f"<b>{family}</b>"
    boxes = page.get("[...document.querySelectorAll('#layers input')].map(box => [box.id, box.checked])")
    assert [name for name, is_on in boxes if is_on] == ["layer-poses", "layer-labels"]
    seen = {drawn(page)}
    for number, (name, is_on) in enumerate(boxes, start=1):
        page.press(str(number))
        about = f"document.querySelector('#{name}').closest('.layer').lastChild"
        assert page.get(f"{about}.hidden") is is_on
        if not is_on:
            assert page.get(f"{about}.querySelector('p').textContent").endswith(".")
            assert page.get(f"{about}.querySelectorAll('.legend span').length") > 0
        seen.add(drawn(page))
    assert len(seen) == len(boxes) + 1


@pytest.mark.parametrize("family", FAMILIES)
def test_a_person_is_seen_alone_with_the_rules(family, open_page):
    page = open_page(family, "#view=0")
    everybody = drawn(page)
    page.press("n")
    assert text_of(page, "#alone strong") == "Person 1"
    assert page.get("document.querySelectorAll('#alone tr').length") >= 18
    said = text_of(page, "#alone")
    how = {"posenet": "traced from", "paf": "limb to", "centers": "the centre points", "tags": "tag 0.00 from"}
    assert how.get(family, "the row's own") in said
    assert "OKS" in said
    assert drawn(page) != everybody
    page.press("n")
    assert text_of(page, "#alone strong") == "Person 2"
    page.press("Escape")
    assert page.get("document.querySelector('#alone').hidden") is True
    assert drawn(page) == everybody


def test_each_candidate_has_its_rule(open_page):
    page = open_page("posenet", "#view=0&layers=poses,peaks")
    kinds = page.get("fatesOf(0).map(fate => [fate.kind, fate.rule])")
    assert {kind for kind, _ in kinds} >= {"kept", "dropped"}
    assert sum("starts here" in rule for _, rule in kinds) == 2
    assert any("within nms_radius 20" in rule for _, rule in kinds)


def test_sliders_decode_again_and_what_is_copied_follows(open_page):
    page = open_page("posenet", "#view=0")
    assert page.get("copies()") == {
        "python": "PoseNetDecoder()",
        "command": "bottomup decode RAW.npz --input-size 192x160",
    }
    slide(page, 1, 0)
    assert text_of(page, "#python") == "PoseNetDecoder(nms_radius=1)"
    assert text_of(page, "#command").endswith(" --set nms_radius=1")
    expected = bu.PoseNetDecoder(nms_radius=1).decode(posenet_fields(random_poses(2, SIZE, seed=1), SIZE))
    assert page.get("posesOf(0).length") == len(expected)
    page.press("b")
    assert text_of(page, "#python") == "PoseNetDecoder.coral()"
    assert "--decoder coral" in text_of(page, "#command")
    slide(page, -1, 100)
    assert page.get("document.documentElement.dataset.poses") == "0"
    assert "is below min_score 1.00" in text_of(page, "#hidden-people")


def test_a_click_chooses_a_person_and_limbs_stay_inside_the_photo(open_page):
    page = open_page("posenet")
    assert page.get("document.querySelectorAll('.pane:not([hidden])').length") == 2
    x, y = page.get("toScreen(shownPoses(1)[0].keypoints[5])")
    left = page.get("document.querySelectorAll('canvas')[1].getBoundingClientRect().left")
    page.click(left + x, y)
    assert page.get("[state.side, state.person === shownPoses(1)[0].number]") == [1, True]
    top, alpha = page.get(ABOVE_THE_PHOTO)
    assert (top > 20, alpha) == (True, 0)


def test_pinching_zooms_the_photo_alone(open_page):
    page = open_page("posenet", "#view=0", width=390, height=800, scale=2, touch=True)
    before = page.get("view.zoom")
    under = page.get("[190 / view.zoom + view.x, 200 / view.zoom + view.y]")
    page.touch([(150, 200), (230, 200)], [(140, 200), (240, 200)], [(110, 200), (270, 200)])
    assert page.get("view.zoom") == pytest.approx(2 * before, rel=0.02)
    assert page.get("[190 / view.zoom + view.x, 200 / view.zoom + view.y]") == pytest.approx(under, abs=1)
    assert page.get("visualViewport.scale") == 1
    assert page.get("state.person") is None
    page.press("0")
    x, y = page.get("toScreen(shownPoses(0)[0].keypoints[5])")
    page.touch([(x, y)])
    assert page.get("state.person === shownPoses(0)[0].number") is True


def test_a_phone_has_photo_above_panel_and_no_sideways_scrolling(open_page):
    page = open_page("centers", width=390, height=800, scale=2, touch=True)
    boxes = "[...document.body.children].slice(0, 2).map(each => each.getBoundingClientRect().toJSON())"
    photo, panel = page.get(boxes)
    assert photo["bottom"] <= panel["top"] + 1
    assert photo["width"] == panel["width"] == 390
    assert page.get("document.querySelector('aside').scrollWidth") <= 390


def test_dark_mode_is_dark(open_page):
    light = open_page("paf").get("getComputedStyle(document.body).backgroundColor")
    assert light == "rgb(255, 255, 255)"
    dark = open_page("paf", dark=True).get("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
    assert max(dark) < 60

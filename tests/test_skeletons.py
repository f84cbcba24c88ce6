import json
from pathlib import Path

import pytest

from bottomup import skeletons
from bottomup.errors import InputError
from bottomup.posenet.fields import EDGES
from bottomup.poses import Poses
from bottomup.skeletons import COCO17, Skeleton

SPECIFIED = Path(__file__).resolve().parents[2] / "shared" / "spec" / "skeletons.json"


@pytest.mark.parametrize("name", skeletons.names())
def test_a_name_ends_in_the_number_of_parts(name):
    assert len(skeletons.get(name).parts) == int(name.rpartition("_")[2])


def test_those_of_metrabs_and_of_the_2d_networks_are_there():
    assert set(skeletons.names()) >= {
        "smpl_24", "h36m_17", "h36m_25", "mpi_inf_3dhp_17", "mpi_inf_3dhp_28", "coco_19", "sailvos_26", "gpa_34",
        "aspset_17", "bml_movi_87", "mads_19", "berkeley_mhad_43", "total_capture_21", "jta_22", "ikea_asm_17",
        "human4d_32", "smplx_42", "ghum_35", "lsp_14", "3dpeople_29", "umpm_15", "kinectv2_25", "smpl+head_30",
        "posenet_17", "coco_17", "bodyposenet_18", "openpose_coco_18", "body_25",
    }  # fmt: skip


@pytest.mark.skipif(not SPECIFIED.exists(), reason="needs ../shared/spec/skeletons.json")
def test_all_have_the_parts_edges_and_mirrors_of_the_specification():
    specified = json.loads(SPECIFIED.read_text())
    assert set(specified) <= set(skeletons.names())
    for name, entry in specified.items():
        skeleton = skeletons.get(name)
        assert list(skeleton.parts) == entry["joint_names"], name
        assert [list(edge) for edge in skeleton.edges] == entry["edges"], name
        if "mirror" in entry:
            assert list(skeleton.mirror) == entry["mirror"], name


def test_coco_has_its_parts_in_cocos_order():
    assert COCO17.parts == (
        "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
        "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee",
        "left_ankle", "right_ankle",
    )  # fmt: skip
    assert len(COCO17.edges) == 19


def test_coco_has_cocos_sigmas():
    assert COCO17.sigmas[:5] == (0.026, 0.025, 0.025, 0.035, 0.035)
    assert COCO17.sigmas[COCO17.index("right_hip")] == 0.107


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [("smpl_24", "pelv", "rhan"), ("body_25", "nose", "right_heel"), ("lsp_14", "rank", "head")],
)
def test_parts_come_in_the_order_of_their_origin(name, first, last):
    parts = skeletons.get(name).parts
    assert (parts[0], parts[-1]) == (first, last)


@pytest.mark.parametrize("name", skeletons.names())
def test_names_of_left_parts_mirror_to_names_of_right_parts(name):
    skeleton = skeletons.get(name)
    pairs = [
        (skeleton.parts[part], skeleton.parts[other]) for part, other in enumerate(skeleton.mirror) if part < other
    ]
    assert pairs
    for pair in pairs:
        differences = [letters for letters in zip(*sorted(pair), strict=False) if letters[0] != letters[1]]
        assert differences[0] == ("l", "r"), pair


@pytest.mark.parametrize("name", ["coco_17", "smpl_24", "bodyposenet_18"])
def test_mirrored_edges_are_edges(name):
    skeleton = skeletons.get(name)
    edges = {frozenset(edge) for edge in skeleton.edges}
    assert {frozenset(skeleton.mirror[part] for part in edge) for edge in edges} == edges


def test_posenets_tree_reaches_every_part_of_coco_once():
    assert sorted(child for _, child in EDGES) == list(range(1, 17))
    reached = {0}
    for parent, child in EDGES:
        assert parent in reached
        reached.add(child)


def test_a_name_finds_its_part():
    assert COCO17.index("left_wrist") == 9


def test_an_unknown_part_is_refused_with_those_there_are():
    with pytest.raises(InputError, match="skeleton 'coco_17' has no part 'tail': it has nose, left_eye"):
        COCO17.index("tail")


def test_an_unknown_skeleton_is_refused_with_near_names():
    with pytest.raises(InputError, match="there is no skeleton 'coco17': did you mean coco_17"):
        skeletons.get("coco17")
    with pytest.raises(InputError, match="names\\(\\) lists them"):
        skeletons.get("?")


@pytest.mark.parametrize("edge", [(0, 2), (-1, 0), (1, 1)])
def test_an_edge_joins_two_parts_that_there_are(edge):
    with pytest.raises(InputError, match="must join two of its 2 parts, 0-based"):
        Skeleton("arm", ("elbow", "wrist"), (edge,))


@pytest.mark.parametrize("mirror", [(0,), (1, 1), (0, 5), (-1, 0)])
def test_a_mirror_pairs_parts_both_ways(mirror):
    with pytest.raises(InputError, match="must pair its 2 parts both ways"):
        Skeleton("arm", ("elbow", "wrist"), mirror=mirror)


@pytest.mark.parametrize("sigmas", [(0.1,), (0.1, 0.0), (0.1, float("nan"))])
def test_sigmas_are_above_0_one_a_part(sigmas):
    with pytest.raises(InputError, match="must be 2 numbers above 0"):
        Skeleton("arm", ("elbow", "wrist"), sigmas=sigmas)


def test_parts_have_different_names():
    with pytest.raises(InputError, match="must have different names"):
        Skeleton("arms", ("wrist", "wrist"))


def test_without_a_mirror_each_part_mirrors_itself():
    assert Skeleton("arm", ("elbow", "wrist")).mirror == (0, 1)


def test_lists_become_tuples_so_that_skeletons_can_be_keys():
    made = Skeleton("arm", ["elbow", "wrist"], [[0, 1]], [0, 1], [0.1, 0.2])
    assert {made: 1}[Skeleton("arm", ("elbow", "wrist"), ((0, 1),), (0, 1), (0.1, 0.2))] == 1


@pytest.mark.parametrize("channels", [((0, 1),), ((0, 1), (1, 2)), ((0, -1), (1, 2))])
def test_each_edge_has_two_paf_channels_of_its_own(channels):
    with pytest.raises(InputError, match="must give each of its 2 edges two channels of its own"):
        Skeleton("arm", ("shoulder", "elbow", "wrist"), ((0, 1), (1, 2)), paf_channels=channels)


def test_redundant_edges_are_numbers_of_edges():
    with pytest.raises(InputError, match="must be numbers of its 1 edges, 0-based"):
        Skeleton("arm", ("elbow", "wrist"), ((0, 1),), redundant_edges=(1,))


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"parts": None}, "parts of skeleton 'arm' must be names"),
        ({"parts": "elbow"}, "parts of skeleton 'arm' must be names"),
        ({"parts": (1, 2)}, "parts of skeleton 'arm' must be names"),
        ({"edges": "ab"}, "edges of skeleton 'arm' must be pairs of parts' numbers"),
        ({"edges": ((0, 1, 2),)}, "edges of skeleton 'arm' must be pairs"),
        ({"edges": ((0, 1.5),)}, "edges of skeleton 'arm' must be pairs"),
        ({"mirror": "ab"}, "mirror of skeleton 'arm' must be numbers of parts"),
        ({"sigmas": ("wide", "narrow")}, "sigmas of skeleton 'arm' must be numbers, one a part"),
        ({"paf_channels": "ab"}, "paf_channels of skeleton 'arm' must be pairs of channels"),
        ({"redundant_edges": 0}, "redundant_edges of skeleton 'arm' must be numbers of edges"),
    ],
)
def test_what_is_of_another_form_is_refused(settings, complaint):
    with pytest.raises(InputError, match=complaint):
        Skeleton(**{"name": "arm", "parts": ("elbow", "wrist"), "edges": ((0, 1),), **settings})


def test_parts_may_come_from_a_generator():
    assert Skeleton("arm", (name for name in ("shoulder", "elbow"))).parts == ("shoulder", "elbow")


@pytest.mark.parametrize("given", [["coco_17"], None, 17])
def test_names_that_are_no_text_name_no_skeleton(given):
    with pytest.raises(InputError, match="there is no skeleton"):
        skeletons.get(given)


def test_a_list_is_no_skeleton():
    with pytest.raises(InputError, match="skeleton must be a Skeleton, got \\['nose'\\]"):
        Poses.empty(["nose"])


# --- of files


def category(edges, parts=("nose", "left_ear", "right_ear"), **more):
    return {"name": "cat", "keypoints": list(parts), "skeleton": edges, **more}


def test_edges_of_a_coco_category_count_from_1_where_the_last_part_is_named():
    skeleton = Skeleton.from_coco_category(category([[1, 2], [1, 3]], sigmas=[0.1, 0.2, 0.2]))
    assert skeleton.edges == ((0, 1), (0, 2))
    assert skeleton.mirror == (0, 2, 1)
    assert skeleton.sigmas == (0.1, 0.2, 0.2)


def test_edges_of_a_category_count_from_0_where_0_occurs():
    assert Skeleton.from_coco_category(category([[0, 1], [1, 2]])).edges == ((0, 1), (1, 2))


@pytest.mark.parametrize(
    ("edges", "said"),
    [([[1, 2]], "may count its parts from 0 or from 1"), ([[0, 3]], "fits neither"), ([[1, 4]], "fits neither")],
)
def test_edges_that_do_not_tell_are_refused_with_the_way_out(edges, said):
    with pytest.raises(InputError, match=f"category 'cat': .*{said}"):
        Skeleton.from_coco_category(category(edges))


def test_a_caller_can_say_where_the_count_begins():
    assert Skeleton.from_coco_category(category([[1, 2]]), first=0).edges == ((1, 2),)
    assert Skeleton.from_coco_category(category([[1, 2]]), first=1).edges == ((0, 1),)


@pytest.mark.parametrize(
    ("parts", "mirror"),
    [
        (("L_hip", "R_hip"), (1, 0)),
        (("hip_left", "hip_right"), (1, 0)),
        (("lip", "rip"), (0, 1)),
        (("LHip", "x"), (0, 1)),
    ],
)
def test_sides_are_told_by_whole_words_of_names(parts, mirror):
    assert (
        Skeleton.from_coco_category(
            category(
                [[1, 2]],
                parts,
            ),
            first=1,
        ).mirror
        == mirror
    )


def test_skeletons_are_read_from_json_of_each_kind(tmp_path):
    kinds = {
        "ours": {"name": "arm", "parts": ["a", "b", "c"], "edges": [[0, 1]], "mirror": [0, 1, 2]},
        "coco": {"categories": [category([[1, 2], [1, 3]])]},
        "poses": {"skeleton": {"name": "arm", "parts": ["a", "b", "c"], "edges": [[0, 1]]}, "poses": []},
    }
    for name, data in kinds.items():
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(data))
        assert len(skeletons.read_skeleton(path).parts) == 3


@pytest.mark.parametrize(
    ("text", "said"),
    [("{", "is no JSON"), ("[]", "must be a dict"), ('{"parts": 3}', "must be")],
)
def test_a_file_without_a_skeleton_is_named(tmp_path, text, said):
    path = tmp_path / "s.json"
    path.write_text(text)
    with pytest.raises(InputError, match=f"s.json'.*{said}"):
        skeletons.read_skeleton(path)


def test_a_missing_file_is_named():
    with pytest.raises(InputError, match=r"skeleton 'none\.json' cannot be read"):
        skeletons.read_skeleton("none.json")

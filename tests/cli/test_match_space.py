"""`vitequiv match --space image`: the picture at its own resolution, verified by the libraries' own processors."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from tests.cli.conftest import CAT, COFFEE
from tests.encoders.official import OFFICIAL, clip_model, timm_model
from tests.loaded import loaded
from vitequiv.encoders.checkpoints.quiet import quiet
from vitequiv.images.preprocessing import crop_box, resized_shape

ZOO = Path(__file__).parents[2] / "vitequiv" / "tiny" / "zoo"
EMBED = {official.name: official.embed for official in OFFICIAL if official.readout is None}
"""The library's own model class: a directory and normalised pixels to the default embedding."""


def processors(name: str, directory: Path) -> dict[str, object]:
    """The libraries' processors, loaded here and now as their users load them: an image to (1, 3, H, W)."""
    from timm.data import create_transform, resolve_model_data_config
    from transformers import AutoImageProcessor

    if name == "clip":
        transform = clip_model(directory)[2]
        return {"image_transform_v2": lambda image: transform(image)[None]}
    if name == "timm":
        transform = create_transform(**resolve_model_data_config(timm_model(directory)))
        return {"create_transform": lambda image: transform(image)[None]}
    with quiet():
        both = (
            AutoImageProcessor.from_pretrained(directory),
            AutoImageProcessor.from_pretrained(directory, backend="pil"),
        )
    return {
        type(one).__name__: lambda image, one=one: one(images=image, return_tensors="pt")["pixel_values"]
        for one in both
    }


def cosines(name: str, directory: Path, path: Path, target: Path) -> dict[str, float]:
    """Cosine of two files by every official processor and the official model, without vitequiv."""
    found = {}
    for label, process in processors(name, directory).items():
        with torch.no_grad(), Image.open(path) as image, Image.open(target) as other:
            ours, theirs = (
                EMBED[name](directory, process(one.convert("RGB"))).flatten().double() for one in (image, other)
            )
        found[label] = (ours @ theirs / ours.norm() / theirs.norm()).item()
    return found


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    """Files of the cat in many shapes: `photo("640x427.png")`, `photo("grey.png")`, ..."""
    folder = tmp_path_factory.mktemp("photos")
    with Image.open(CAT) as image:
        cat = image.convert("RGB")

    def make(name: str) -> Path:
        path, (kind, _, _) = folder / name, name.partition(".")
        width, _, height = kind.partition("x")
        if height:
            made = cat.resize((int(width), int(height)), Image.Resampling.LANCZOS)
        elif kind == "grey":
            made = cat.convert("L")
        elif kind == "rgba":
            made = cat.copy()
            made.putalpha(Image.linear_gradient("L").resize(cat.size))
        elif kind == "turned":
            made = cat
        exif = Image.Exif()
        exif[0x0112] = 6 if kind == "turned" else 1
        made.save(path, **({"exif": exif} if kind == "turned" else {}))
        return path

    return make


FAMILIES = ["clip", "beit", "swin", "deit", "vitmae", "vitmsn", "timm", "hf-clip"]


@pytest.mark.parametrize("name", FAMILIES)
def test_through_the_official_processor_of_each_family(run, checkpoints, tmp_path, photo, name):
    # Random weights, but none of them takes the two photos for the same: 0.78 to 0.977 before.
    source = photo("640x427.png")
    spec = checkpoints[name]
    directory = Path(spec.partition(":")[2])
    before = cosines(name, directory, source, COFFEE)
    assert max(before.values()) < 0.98
    done = run("match", source, COFFEE, "--model", spec, "--space", "image", "--max-passes", 300, "--format", "json")
    (record,) = done.lines()
    assert done.code == 0, done.out + done.err
    result = record["result"]
    assert result["space"] == "image"
    assert record["settings"]["space"] == {"value": "image", "source": "flag"}
    assert result["canvas"] == {"height": 427, "width": 640}
    path = tmp_path / "vitequiv-out/640x427_to_coffee/matched.png"
    with Image.open(path) as image:
        assert (image.size, image.mode) == ((640, 427), "RGB")
    after = cosines(name, directory, path, COFFEE)
    assert min(after.values()) >= 0.99
    said = {row["processor"]: row["cosine"] for row in result["verified"]}
    assert said.pop("Encoder.preprocess") == result["cosine"]["saved"]
    # The target is embedded through our preprocessing, which differs from torchvision's by a level here and there.
    assert said == pytest.approx(after, abs=1e-4)
    assert {row["library"] for row in result["verified"][1:]} == {
        {"clip": "open_clip", "timm": "timm"}.get(name, "transformers")
    }


SHAPES = {
    "427x640.png": (427, 640),
    "50x33.png": (50, 33),
    "grey.png": (451, 300),
    "rgba.png": (451, 300),
    "turned.jpg": (300, 451),
}


@pytest.mark.parametrize("name", SHAPES)
def test_photos_of_every_kind(run, tmp_path, photo, name):
    """Portrait, smaller than the input (enlarged), greyscale, with alpha, turned by EXIF."""
    size = SHAPES[name]
    done = run("match", photo(name), COFFEE, "--model", "tiny-beit", "--space", "image", "--cosine", 0.95,
               "--format", "json")  # fmt: skip
    (record,) = done.lines()
    assert done.code == 0, done.out + done.err
    folder = tmp_path / "vitequiv-out" / record["item"]
    with Image.open(folder / "matched.png") as image, Image.open(folder / "difference.png") as difference:
        assert image.size == difference.size == size
    through = official_tiny_beit(folder / "matched.png")
    assert min(through.values()) >= 0.95
    assert {row["processor"]: row["cosine"] for row in record["result"]["verified"][1:]} == pytest.approx(
        through, abs=1e-5
    )


def official_tiny_beit(path: Path) -> dict[str, float]:
    """Cosine of a file to the coffee by both of transformers' processors; the target by vitequiv, as in a run."""
    from transformers import BeitModel

    encoder = loaded("tiny-beit")
    with torch.no_grad(), Image.open(COFFEE) as coffee, Image.open(path) as image, quiet():
        target = encoder.embed(encoder.preprocess(coffee.convert("RGB"))[None])[0].double()
        model = BeitModel.from_pretrained(ZOO / "beit").eval()
        found = {}
        for label, process in processors("beit", ZOO / "beit").items():
            ours = model(process(image)).pooler_output[0].double()
            found[label] = (ours @ target / ours.norm() / target.norm()).item()
    return found


def test_what_the_crop_leaves_out_stays_as_it_is(run, tmp_path, photo):
    source = photo("640x427.png")
    done = run("match", source, COFFEE, "--space", "image", "--cosine", 0.9, "--format", "json")
    assert done.code == 0, done.out
    pre = loaded("tiny-clip").preprocessing
    _, left, _, right = crop_box(pre, 427, 640)
    with (
        Image.open(source) as before,
        Image.open(tmp_path / "vitequiv-out/640x427_to_coffee/matched.png") as after,
    ):
        changed = (np.asarray(before) != np.asarray(after)).any((0, 2)).nonzero()[0]
    # Pillow's bicubic filter reaches two output pixels beyond the crop.
    scale = 640 / resized_shape(pre, 427, 640)[1]
    assert (left - 2) * scale - 1 < changed.min()
    assert changed.max() < (right + 2) * scale + 1
    assert changed.min() > 50  # of the 106 columns that are cut off on either side


def test_the_tensors_are_what_the_encoder_sees(run, tmp_path, photo):
    source = photo("640x427.png")
    run("match", source, COFFEE, "--space", "image", "--cosine", 0.9)
    folder = tmp_path / "vitequiv-out/640x427_to_coffee"
    tensors = load_file(folder / "matched.safetensors")
    encoder = loaded("tiny-clip")
    for name, path in (("start", source), ("pixels", folder / "matched.png")):
        with Image.open(path) as image:
            assert torch.equal(tensors[name], encoder.preprocess(image))
    assert tensors["picture"].shape == (3, 427, 640)
    with Image.open(folder / "matched.png") as image:
        levels = np.asarray(image)
    assert np.array_equal((tensors["picture"].permute(1, 2, 0) * 255).round().numpy(), levels)


def test_the_direction_of_such_a_match(run, tmp_path, photo):
    """`ldlc --directions match` reads its tensors, at the model's input size."""
    source = photo("640x427.png")
    run("match", source, COFFEE, "--space", "image", "--cosine", 0.9)
    folder = tmp_path / "vitequiv-out/640x427_to_coffee"
    done = run("ldlc", source, "--directions", "match", "--target", folder, "--out", "l", "--epsilon", 0.1)
    assert done.code == 0, done.out + done.err


def test_sizes_do_not_share_a_batch_but_keep_their_order(run, tmp_path, photo):
    paths = [photo(name) for name in ("120x90.png", "90x120.png", "120x80.png", "grey.png")]
    again = tmp_path / "again" / "120x90.png"  # another of the first one's size, after the others
    again.parent.mkdir()
    Image.open(paths[0]).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(again)
    options = ("--space", "image", "--cosine", 0.9, "--format", "json")
    done = run("match", *paths, again, COFFEE, *options)
    assert done.code == 0, done.out
    sizes = [tuple(record["result"]["canvas"].values()) for record in done.lines()]
    assert sizes == [(90, 120), (120, 90), (80, 120), (300, 451), (90, 120)]
    alone = run("match", *paths, again, COFFEE, *options, "--batch-size", 1, "--out", "alone")
    assert [record["item"] for record in alone.lines()] == [record["item"] for record in done.lines()]


@pytest.mark.parametrize(
    "options",
    [
        ("--solver", "gd", "--max-passes", 1000),
        ("--solver", "lbfgs"),
        ("--solver", "adam"),
        ("--solver", "polyak"),
        ("--minimise", "l2", "--max-passes", 100),
        ("--linf", "16/255"),
        ("--l2", 12),
        ("--dtype", "bfloat16"),
        ("--dtype", "float64"),
        ("--jpeg", 90),
        ("--target-text", "a red circle"),
        ("--target-mean", CAT, "--target-mean", COFFEE),
    ],
    ids=lambda options: "_".join(Path(str(option)).name for option in options),
)
def test_with_the_other_options(run, tmp_path, photo, options):
    source = photo("200x150.png")
    goal = 0.5 if "--target-text" in options else 0.9
    names = [source] if any("--target" in str(option) for option in options) else [source, COFFEE]
    done = run("match", *names, "--space", "image", "--cosine", goal, *options, "--format", "json")
    (record,) = done.lines()
    assert done.code == 0, done.out + done.err
    folder = tmp_path / "vitequiv-out" / record["item"]
    kind = "jpeg" if "--jpeg" in options else "saved"
    assert record["result"]["cosine"][kind] >= goal
    files = ["matched.png", "matched.jpg"] if "--jpeg" in options else ["matched.png"]
    assert [row["file"] for row in record["result"]["verified"]] == files
    for file in files:
        with Image.open(folder / file) as image:
            assert image.size == (200, 150)
    if "--linf" in options:
        assert record["result"]["perturbation"]["linf_8bit"] <= 16
    if "--l2" in options:
        with (
            Image.open(tmp_path / "vitequiv-out" / record["item"] / "matched.png") as file,
            Image.open(source) as before,
        ):
            change = np.asarray(file.convert("RGB"), float) - np.asarray(before.convert("RGB"), float)
        assert np.linalg.norm(change) / 255 <= 12 * (1 + 1e-6)


def test_in_model_space_the_canvas_goes_through_the_same_processors(run, tmp_path):
    done = run("match", CAT, COFFEE, "--model", "tiny-deit", "--format", "json")
    (record,) = done.lines()
    assert done.code == 0, done.out
    assert record["result"]["space"] == "model"
    rows = {row["processor"]: row["cosine"] for row in record["result"]["verified"]}
    assert list(rows) == ["Encoder.preprocess", "DeiTImageProcessor", "DeiTImageProcessorPil"]
    # The canvas passes both backends untouched; they normalise in float32.
    assert list(rows.values()) == pytest.approx([record["result"]["cosine"]["saved"]] * 3, abs=1e-5)
    assert json.loads((tmp_path / "vitequiv-out/cat_to_coffee/match.json").read_text()) == record


def test_the_command(forked, tmp_path, photo):
    done = forked("match", photo("640x427.png"), COFFEE, "--model", "tiny-beit", "--space", "image")
    assert done.code == 0, done.out + done.err
    assert min(official_tiny_beit(tmp_path / "vitequiv-out/640x427_to_coffee/matched.png").values()) >= 0.99


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((COFFEE, "--init", "noise", "--space", "image"), "--space image works at the resolution of a source"),
        ((CAT, COFFEE, "--space", "pixel"), "--space"),
    ],
)
def test_what_cannot_be_asked(run, tmp_path, arguments, said):
    done = run("match", *arguments)
    assert done.code == 2
    assert said in done.err
    assert not (tmp_path / "vitequiv-out").exists()

"""A run decodes each image once, embeds each target once and reads each text once, whatever its pairs are."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load

from tests.loaded import loaded
from tests.runs.test_match import Faulty, scenes
from vitequiv.encoders.base import Encoder, VisionTower
from vitequiv.errors import UsageError, VitequivError
from vitequiv.images.save import save_tensors
from vitequiv.matching.goal import Goal
from vitequiv.matching.solvers.polyak import Polyak
from vitequiv.results.status import Status
from vitequiv.runs import seen as room
from vitequiv.runs.context import describe_run
from vitequiv.runs.directory import RunDirectory
from vitequiv.runs.match import run_matches
from vitequiv.runs.match_work import MatchPlan
from vitequiv.runs.seen import Seen
from vitequiv.runs.target_choice import EmbeddingTarget, TextTarget
from vitequiv.runs.worklist.items import Pair
from vitequiv.runs.worklist.pairs import named

__all__ = ["scenes"]  # the fixture: five scenes


class Counting(torch.nn.Module):
    """A network that counts its calls and what it is given."""

    def __init__(self, inner: torch.nn.Module) -> None:
        super().__init__()
        self.inner, self.calls, self.items = inner, 0, 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls, self.items = self.calls + 1, self.items + len(x)
        return self.inner(x)


@pytest.fixture
def encoder() -> Encoder:
    encoder = loaded("tiny-clip")
    tower = encoder.tower
    text = replace(tower.text, module=Counting(tower.text.module))
    return replace(encoder, tower=VisionTower(Counting(tower.module), tower.preprocessing, text=text))


@pytest.fixture
def decoded(monkeypatch) -> Counter[str]:
    """How often each file was decoded, but for the results' own."""
    count: Counter[str] = Counter()
    load = room.load_image

    def counted(path):
        count[Path(path).name] += 1
        return load(path)

    monkeypatch.setattr(room, "load_image", counted)
    return count


def run(encoder: Encoder, pairs: list[Pair], path: Path, batch_size: int = 4, plan: MatchPlan | None = None):
    out = RunDirectory(path / "out", "match")
    out.prepare([pair.name for pair in pairs], overwrite=True)
    plan = plan or MatchPlan(Polyak(), Goal(cosine=0.5), batch_size, seed=0)
    return list(run_matches(encoder, pairs, plan, describe_run("match", encoder, {}, 0), out))


@pytest.mark.parametrize("batch_size", [1, 3, 8])
@pytest.mark.parametrize(("sources", "targets"), [([0], [1, 2, 3, 4]), ([0, 1, 2], [4]), ([0, 1], [2, 3, 4])])
def test_decodes_and_forwards(encoder, decoded, scenes, tmp_path, batch_size, sources, targets):
    pairs = named([(scenes[s], scenes[t], None) for s in sources for t in targets])
    envelopes = run(encoder, pairs, tmp_path, batch_size)
    assert [envelope.status for envelope in envelopes] == [Status.CONVERGED] * len(pairs)
    assert decoded == Counter({f"scene{i}.png": 1 for i in sources + targets})
    # Each target once; an item's own, which its cost counts; its start and its saved file.
    spent = sum(envelope.cost.forwards for envelope in envelopes)
    assert encoder.tower.module.items == len(targets) + spent + 2 * len(pairs)


def test_an_image_on_both_sides_is_decoded_once(encoder, decoded, scenes, tmp_path):
    pairs = named([(scenes[s], scenes[t], None) for s in range(3) for t in range(3) if s != t])
    run(encoder, pairs, tmp_path)
    assert decoded == Counter({f"scene{i}.png": 1 for i in range(3)})


def test_a_target_embeds_the_same_whatever_its_neighbours_are(encoder, scenes, tmp_path):
    alone = run(encoder, named([(scenes[0], scenes[4], None)]), tmp_path / "a")
    among = run(encoder, named([(scenes[0], scenes[i], None) for i in (1, 4, 2)]), tmp_path / "b")
    targets = [
        (tmp_path / folder / "out" / item.item / "matched.safetensors").read_bytes()
        for folder, item in (("a", alone[0]), ("b", among[1]))
    ]
    assert torch.equal(*(load(data)["embedding_target"] for data in targets))


def test_each_text_is_read_once_and_by_itself(encoder, scenes, tmp_path):
    texts = [TextTarget(text) for text in ("a red circle", "a blue square", "a green ring")]
    pairs = [Pair(f"{i}", scenes[i % 3], None, texts[i // 2 % 3]) for i in range(12)]
    envelopes = run(encoder, pairs, tmp_path, 4, MatchPlan(Polyak(), Goal(cosine=0.3), 4, seed=0))
    assert {envelope.status for envelope in envelopes} == {Status.CONVERGED}
    text = encoder.tower.text.module
    assert (text.items, text.calls) == (3, 3)


def test_a_text_at_fault_leaves_the_others(encoder):
    seen, texts = Seen(encoder), [TextTarget("a red circle"), TextTarget("a fridge"), TextTarget("a blue ring")]
    with pytest.raises(VitequivError, match="does not know the word 'fridge'"):
        seen.target(texts[1])
    for text in (texts[0], texts[2]):
        assert torch.equal(seen.target(text).embedding, encoder.embed_text([text.text])[0])
        assert seen.target(text) is seen.target(text)


def test_a_saved_embedding_is_read_once_and_again_when_replaced(encoder, tmp_path):
    path, seen = tmp_path / "e.safetensors", Seen(encoder)
    save_tensors(path, {"e": torch.ones(128), "f": torch.ones(128) * 2}, None)
    first = seen.target(EmbeddingTarget(path, "e"))
    assert seen.target(EmbeddingTarget(path, "e")) is first
    assert seen.target(EmbeddingTarget(path, "f")).embedding[0] == 2
    save_tensors(path, {"e": torch.ones(128) * 3, "f": torch.ones(128) * 2}, None)
    assert seen.target(EmbeddingTarget(path, "e")).embedding[0] == 3


@pytest.mark.parametrize("change", ["replaced", "touched"])
def test_a_file_that_changes_is_read_again(encoder, decoded, scenes, change):
    seen = Seen(encoder)
    first = seen.image(scenes[0])
    if change == "replaced":
        os.replace(scenes[1], scenes[0])  # noqa: PTH105 - as programs do
    else:
        Image.open(scenes[1]).save(scenes[0])
        os.utime(scenes[0], ns=(0, 1))
    second = seen.image(scenes[0])
    assert first.digest != second.digest
    assert decoded["scene0.png"] == 2


@pytest.mark.parametrize(("images", "decodes"), [(1, 12), (3, 12), (4, 4)])
def test_what_there_is_no_room_for_is_made_again(encoder, decoded, scenes, images, decodes):
    size = 3 * 64 * 64 * 4 + room.RECORD_BYTES
    seen = Seen(encoder, images * size)
    for i in (0, 1, 2, 3) * 3:
        assert seen.image(scenes[i]).sha256
        assert seen._images.held <= images * size
    assert decoded.total() == decodes


@pytest.mark.parametrize(
    ("fault", "error", "message"),
    [
        ("raises", VitequivError, "failed on the target .*scene1.png: red corner"),
        ("nan", UsageError, "NaN or infinite"),
    ],
)
def test_a_target_that_the_network_cannot_stand(scenes, tmp_path, fault, error, message):
    encoder = loaded("tiny-clip")
    broken = replace(encoder, tower=VisionTower(Faulty(encoder.tower.module, fault), encoder.preprocessing))
    with pytest.raises(error, match=message):
        Seen(broken).target(scenes[1])
    envelopes = run(broken, named([(scenes[0], scenes[t], None) for t in (1, 2)]), tmp_path)
    assert [envelope.status for envelope in envelopes] == [Status.FAILED, Status.CONVERGED]
    assert "\n" not in envelopes[0].message

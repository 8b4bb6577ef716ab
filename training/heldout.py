"""The 200 held-out scenes: python -m training.heldout [--pictures DIR] writes heldout.json and, if asked, the PNGs."""

import argparse
import json
import random
from pathlib import Path

from PIL import Image

from .captions import PLACE_WORDS, pair_caption, single_caption
from .kinds import KINDS
from .scenes import Scene, Sprite, random_pair, random_single, render

FILE = Path(__file__).with_name("heldout.json")


def make(seed: int = 2024) -> list[dict]:
    rng, entries, seen = random.Random(seed), [], set()
    while len(entries) < 200:
        single = len(entries) < 100
        scene = (random_single if single else random_pair)(rng, held_out=True)
        key = (tuple(body.kind for body in scene.sprites), scene.place, scene.background if single else None)
        if key in seen:
            continue
        seen.add(key)
        names = [rng.choice(KINDS[body.kind].names) for body in scene.sprites]
        if single:
            text = single_caption(names[0], scene.size, PLACE_WORDS[scene.place][0], scene.background)
        else:
            text = pair_caption(*names, scene.place, rng.random() < 0.5, scene.background)
        bodies = [
            {"id": KINDS[b.kind].id, "name": name.nominative, "bbox": [b.x, b.y, b.size, b.size]}
            for b, name in zip(scene.sprites, names)
        ]
        entries.append(
            {"caption": text, "sprites": bodies, "size": scene.size, "place": scene.place,
             "background": scene.background, "rgb": list(scene.shade)}
        )  # fmt: skip
    return entries


def load(path: Path = FILE) -> list[tuple[str, Scene]]:
    index = {kind.id: i for i, kind in enumerate(KINDS)}
    scenes = []
    for entry in json.loads(path.read_text(encoding="utf-8")):
        bodies = tuple(Sprite(index[b["id"]], b["bbox"][2], *b["bbox"][:2]) for b in entry["sprites"])
        scene = Scene(bodies, entry["background"], tuple(entry["rgb"]), entry["size"], entry["place"])
        scenes.append((entry["caption"], scene))
    return scenes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=Path)
    arguments = parser.parse_args()
    lines = ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in make())
    FILE.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    if arguments.pictures:
        arguments.pictures.mkdir(parents=True, exist_ok=True)
        for i, (_, scene) in enumerate(load()):
            Image.fromarray((render(scene) * 255 + 0.5).astype("uint8")).save(arguments.pictures / f"{i:03}.png")


if __name__ == "__main__":
    main()

"""The held-out scenes, questions and sums: python -m training.heldout [--pictures DIR] writes heldout.json and, if asked, the PNGs."""

import argparse
import json
import random
from pathlib import Path

from PIL import Image

from . import arithmetic
from .captions import full_caption
from .kinds import KINDS
from .questions import questions
from .scenes import MAKERS, Scene, Sprite, render

FILE = Path(__file__).with_name("heldout.json")
COUNTS = {"single": 100, "pair": 100, "count": 40, "row": 40, "text": 60}
SUMS, TEXTS = 100, 100


def _entry(rng: random.Random, scene: Scene) -> dict:
    bodies = [{"id": KINDS[b.kind].id, "bbox": [b.x, b.y, b.size, b.size]} for b in scene.sprites]
    entry = {
        "caption": full_caption(rng, scene), "sprites": bodies, "size": scene.size, "place": scene.place,
        "background": scene.background, "rgb": list(scene.shade),
    }  # fmt: skip
    if scene.text:
        entry |= {"text": scene.text, "font": scene.font}
    asked = [{"topic": q.topic, "question": q.text, "answers": list(q.answers)} for q in questions(rng, scene)]
    return entry | {"questions": asked}


def make(seed: int = 2024) -> dict:
    """-> {scenes, texts: questions about told scenes, sums: lines to continue and questions}"""
    rng, scenes, seen = random.Random(seed), [], set()
    for name, count in COUNTS.items():
        while sum(entry["layout"] == name for entry in scenes) < count:
            scene = MAKERS[name](rng, held_out=True)
            key = (tuple(body.kind for body in scene.sprites), scene.place, scene.background, scene.text)
            if key not in seen:
                seen.add(key)
                scenes.append({"layout": name} | _entry(rng, scene))
    texts = []
    while len(texts) < TEXTS:
        scene = MAKERS[rng.choice(("single", "pair", "count", "row", "text"))](rng, held_out=True)
        told = full_caption(rng, scene)
        chosen = rng.choice(questions(rng, scene, told=True))
        texts.append({"topic": chosen.topic, "question": f"{told}. {chosen.text}", "answers": list(chosen.answers)})
    sums = []
    for fact in rng.sample(arithmetic.HELD_OUT, len(arithmetic.HELD_OUT)) + rng.sample(arithmetic.TRAINING, SUMS - len(arithmetic.HELD_OUT)):
        question, answer = arithmetic.question(rng, fact)
        before = arithmetic.line(rng.sample(arithmetic.TRAINING, 2))
        a, sign, b, result = fact
        sums.append(
            {"seen": not arithmetic.is_held_out(fact), "begin": f"{before}{a}{sign}{b}=", "result": str(result), "question": question,
             "answer": answer}
        )  # fmt: skip
    return {"scenes": scenes, "texts": texts, "sums": sums}


def load(path: Path = FILE) -> list[tuple[str, Scene]]:
    index = {kind.id: i for i, kind in enumerate(KINDS)}
    scenes = []
    for entry in json.loads(path.read_text(encoding="utf-8"))["scenes"]:
        bodies = tuple(Sprite(index[b["id"]], b["bbox"][2], *b["bbox"][:2]) for b in entry["sprites"])
        scene = Scene(
            bodies, entry["background"], tuple(entry["rgb"]), entry["size"], entry["place"], entry.get("text", ""), entry.get("font", 0)
        )
        scenes.append((entry["caption"], scene))
    return scenes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=Path)
    arguments = parser.parse_args()
    parts = [
        f"{json.dumps(name)}: [\n" + ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in entries) + "\n]"
        for name, entries in make().items()
    ]
    FILE.write_text("{" + ",\n".join(parts) + "}\n", encoding="utf-8")
    if arguments.pictures:
        arguments.pictures.mkdir(parents=True, exist_ok=True)
        for i, (_, scene) in enumerate(load()):
            Image.fromarray((render(scene) * 255 + 0.5).astype("uint8")).save(arguments.pictures / f"{i:03}.png")


if __name__ == "__main__":
    main()

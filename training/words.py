"""What is written in pictures: words of up to seven letters, and numbers."""

import random

from .kinds import KINDS
from .split import tenth

LONGEST = 7  # letters
FONTS = 3

_COMMON = """
мир мама папа лес море небо река гора снег лето зима весна осень утро день ночь вечер друг школа город улица мост парк театр кино метро
вокзал вход выход стоп касса кафе аптека музей рынок почта банк молоко вода чай сок суп каша мёд соль сахар масло игра цвет привет
спасибо да нет ура ветер дождь гром луна земля остров берег песок камень трава цветок сад поле дорога поезд лодка парус окно стол
шкаф лампа ложка вилка нож тарелка ковёр часы песня танец музыка сказка слово буква число урок класс мел доска ручка бумага письмо
адрес марка сон мечта радость смех шутка сила воля правда жизнь время год месяц неделя час минута брат сестра сын дочь дед баба
внук врач повар моряк лётчик поэт артист мастер золото серебро железо стекло дерево шар куб круг
""".split()

WORDS = sorted(
    {word for word in _COMMON if len(word) <= LONGEST}
    | {
        name.nominative
        for kind in KINDS
        for name in kind.names
        if name.nominative.isalpha() and len(name.nominative) <= LONGEST
    }
)


def text_is_held_out(text: str, font: int) -> bool:
    """Numbers are held out in every font, words in one or the other."""
    return tenth("number-v2", text) if text.isdigit() else tenth("word-v2", text, str(font))


def random_text(rng: random.Random, held_out: bool = False) -> tuple[str, int]:
    """-> a word or a number up to 999, and its font"""
    while True:
        text = str(rng.choice((rng.randrange(10), rng.randrange(10, 100), rng.randrange(100, 1000))))
        text = text if rng.random() < 0.25 else rng.choice(WORDS)
        font = rng.randrange(FONTS)
        if text_is_held_out(text, font) == held_out:
            return text, font

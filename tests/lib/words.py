"""What programs tell their reader, in the language that he reads: one table, zh.py, and no second
copy of any code.

    say("sends {count} to {who}", count=count, who="c1")

is that text, and its `.zh` the Chinese one; `shown` chooses. LAB_LANG=zh or en says which, else the
locale of messages. What --json gives, and what is matched by a program, is English. A text that
comes in one piece `shown` looks up as it is; what is not in the table stays English.
"""

from __future__ import annotations

import functools
import os
import re

from tests.lib.zh import FINISHED, WORDS

HOLE = re.compile(r"\{(\w+)\}")
TOLD = ("what", "how", "why", "more", "title")  # holes with something in them that has Chinese


def chinese() -> bool:
    names = ("LAB_LANG", "LC_ALL", "LC_MESSAGES", "LANG")
    return next((os.environ[name] for name in names if os.environ.get(name)), "").startswith("zh")


class Said(str):
    """English that knows its Chinese."""
    zh: str

    def __new__(cls, english: str, zh: str) -> Said:
        said = super().__new__(cls, english)
        said.zh = zh
        return said


def in_chinese(text: object) -> object:
    return text.zh if isinstance(text, Said) else text


def say(template: str, **values: object) -> Said:
    """A template that the table does not have is an error, in each language."""
    translated = {name: in_chinese(value) for name, value in values.items()}
    return Said(template.format(**values), WORDS[template].format(**translated))


def joined(parts: list[Said]) -> Said:
    return Said(", ".join(parts), "，".join(map(str, map(in_chinese, parts))))


OF_A_STAGE = re.compile(r"(0[1-4]_[a-z_]+: )(.+)", re.S)  # a message of one stage, after its name


@functools.cache
def patterns() -> list[tuple[re.Pattern, str]]:
    def pattern(english: str) -> str:
        parts = HOLE.split(english)
        return "".join(f"(?P<{part}>{'[^ ]+?' if part == 'who' else '.+?'})" if i % 2 else
                       re.escape(part) for i, part in enumerate(parts))
    return [(re.compile(pattern(english), re.S), zh) for english, zh in FINISHED.items()
            if HOLE.search(english)]


def finished(text: str) -> str:
    """The Chinese for a text in one piece."""
    if text in FINISHED:
        return FINISHED[text]
    if found := OF_A_STAGE.fullmatch(text):
        return found[1] + finished(found[2])
    for pattern, zh in patterns():
        if found := pattern.fullmatch(text):
            return zh.format(**{name: finished(value) if name in TOLD else value
                                for name, value in found.groupdict().items()})
    return text


def shown(text: str) -> str:
    if not chinese():
        return text
    return text.zh if isinstance(text, Said) else finished(text)


def holes(template: str) -> list[str]:
    return sorted(HOLE.findall(template))

"""What programs tell their reader, in the language that he reads: one table, zh.py, and no second
copy of any code.

    say("sends {count} to {who}", count=count, who="c1")

is that text, and its `.zh` the Chinese one; `shown` chooses. LAB_LANG=zh or en says which, else the
locale of messages. What --json gives, and what is matched by a program, is English.
"""

from __future__ import annotations

import os
import re

from tests.lib.zh import WORDS


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


def shown(text: str) -> str:
    return str(in_chinese(text)) if chinese() else text


def holes(template: str) -> list[str]:
    return sorted(re.findall(r"\{(\w+)\}", template))

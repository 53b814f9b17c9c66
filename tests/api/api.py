"""The pages on libevent, in both languages: every function and macro that the C++ sources use.

    -m tests.api.api write     makes the tables
    -m tests.api.api check     says what is missing, superfluous or stale, and fails then
    -m tests.api.api used      lists what is used, and where

What stands on a page before its first table is written by hand. Declarations come from the
installed headers, examples from the sources, the words from api.txt. Behind `# Section | 节` it has
two lines for each function:

    name | what it does | in stages 1 and 2 | threads
    = 功能 | 阶段 1/2 中的对应, or nothing where that is code only

Other courses name functions that are not used here. Those name the one in their place, if there is
one, and say why, in both languages: `name > other | ... | threads | why` and `= ... | ... | 原因`.
"""

from __future__ import annotations

import dataclasses
import pathlib
import re
import subprocess
import sys

from tests.lib import cpp

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORDS = pathlib.Path(__file__).with_name("api.txt")


class ApiError(Exception):
    """The table cannot be made, or is not what it should be."""


@dataclasses.dataclass(frozen=True)
class Language:
    note: str
    columns: str
    more: str  # places where a function is used
    instead: str
    unused: str


ENGLISH = Language("notes/libevent_api.md",
                   "declaration | example | what it does | in stages 1 and 2 | threads",
                   " and {} more", "not used. Instead: {}: {}", "not used: {}")
CHINESE = Language("notes/zh/libevent_api.md",
                   "函数声明 | 使用实例 | 函数功能 | 阶段 1/2 中的对应 | 线程安全",
                   "，另有 {} 处", "不用，改用 {}：{}", "不用：{}")
LANGUAGES = (ENGLISH, CHINESE)
THREADS = {"own": "所属线程", "own; any with locks": "所属线程；带锁时任意线程",
           "any": "任意线程", "start": "启动时",
           "start, before libevent allocates": "启动时，在 libevent 分配内存之前",
           "start; without locks for one thread only": "启动时；不带锁时只能有一个线程"}


@dataclasses.dataclass(frozen=True)
class Words:
    what: str
    stages: str
    threads: str
    why: str = ""  # it is not used


@dataclasses.dataclass(frozen=True)
class Entry:
    sections: list[str]  # one name per language, as the words
    words: list[Words]
    used: bool
    instead: str  # used in its place, if it is not; perhaps nothing is


@dataclasses.dataclass(frozen=True)
class Use:
    path: str
    line: int
    code: str
    is_call: bool


def headers() -> list[pathlib.Path]:
    folder = subprocess.run(["pkg-config", "--variable=includedir", "libevent"], check=True,
                            capture_output=True, text=True).stdout.strip() or "/usr/include"
    found = sorted(pathlib.Path(folder, "event2").glob("*.h"))
    if not found:
        raise ApiError(f"no headers in {folder}/event2")
    return [path for path in found if not path.stem.endswith("_compat")]


def declared() -> dict[str, str]:
    """Name -> declaration, of every exported function and every macro with arguments."""
    found: dict[str, str] = {}
    for path in headers():
        text = cpp.blanked(path.read_text(errors="replace"), directives=False)
        for match in re.finditer(r"^#define +(\w+)(\([^)]*\))", text, re.M):
            found.setdefault(match[1], f"#define {match[1]}{match[2]}")
        for match in re.finditer(r"^EVENT2_EXPORT_SYMBOL\s+([^;{#\\]+?);", text, re.M):
            if name := re.search(r"(\w+)\s*\(", re.sub(r"\(\*\w+\)", "", match[1])):
                found[name[1]] = flat(match[1])
    return found


def uses(path: str, source: str, names) -> dict[str, list[Use]]:
    """Name -> where it stands in a file, of those that it names, and the code there."""
    found: dict[str, list[Use]] = {}
    code = cpp.blanked(source)
    for match in re.finditer(r"\b\w+\b", code):
        if match[0] not in names:
            continue
        is_call = code[match.end():match.end() + 1] == "("
        if is_call:
            begin, end = match.start(), closing(code, match.end()) + 1
        else:  # the whole statement
            begin = max(code.rfind(mark, 0, match.start()) for mark in ";{}") + 1
            begin += len(code[begin:]) - len(code[begin:].lstrip())
            end = code.index(";", begin)
        line = code.count("\n", 0, begin) + 1
        found.setdefault(match[0], []).append(Use(path, line, flat(source[begin:end]), is_call))
    return found


def flat(code: str) -> str:
    """On one line."""
    return re.sub(r"\s+", " ", code).replace("( ", "(")


def closing(code: str, opening: int) -> int:
    depth = 0
    for at in range(opening, len(code)):
        depth += {"(": 1, ")": -1}.get(code[at], 0)
        if depth == 0:
            return at
    raise ApiError(f"never closed: {code[opening:opening + 60]}")


def used(names) -> dict[str, list[Use]]:
    """The same of all C++ sources."""
    found: dict[str, list[Use]] = {}
    for path in sorted(ROOT.glob("0*_*/*")):
        if path.suffix in (".h", ".cc"):
            for name, there in uses(str(path.relative_to(ROOT)), path.read_text(), names).items():
                found.setdefault(name, []).extend(there)
    return found


def words(text: str) -> dict[str, Entry]:
    entries: dict[str, Entry] = {}
    sections: list[str] = []
    numbered = ((number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip())
    for number, line in numbered:
        if line.startswith("# "):
            sections = line[2:].split(" | ")
            continue
        try:
            name, entry = entry_of(sections, line, next(numbered, (0, ""))[1])
        except ValueError as wrong:
            raise ApiError(f"{WORDS.name}:{number}: {wrong}: {line}") from None
        if name in entries:
            raise ApiError(f"{WORDS.name}:{number}: a second entry: {line}")
        entries[name] = entry
    return entries


def entry_of(sections: list[str], line: str, below: str) -> tuple[str, Entry]:
    head, *english = [part.strip() for part in line.split(" | ")]
    name, sign, instead = (part.strip() for part in head.partition(">"))
    if len(english) != (4 if sign else 3) or not all(english):
        raise ValueError("not as many parts as it takes")
    if not below.startswith("= ") or english[2] not in THREADS:
        raise ValueError("no words for it in Chinese")
    chinese = [part.strip() for part in below[2:].split(" | ")]
    if len(chinese) == 1 and not re.search(r"[a-z]", re.sub("`.*?`s?", "", english[1])):
        chinese.append(english[1])
    if len(chinese) != len(english) - 1 or not all(chinese):
        raise ValueError("not as many parts in Chinese as it takes")
    chinese.insert(2, THREADS[english[2]])
    return name, Entry(sections, [Words(*english), Words(*chinese)], not sign, instead)


def checked(entries: dict[str, Entry], places: dict[str, list[Use]]) -> None:
    ours = {name for name, entry in entries.items() if entry.used}
    if missing := sorted(places.keys() - ours):
        first = places[missing[0]][0]
        raise ApiError(f"used but not in {WORDS.name}: {', '.join(missing)} "
                       f"(the first one in {first.path}:{first.line})")
    if unused := sorted(ours - places.keys()):
        raise ApiError(f"in {WORDS.name} but not used: {', '.join(unused)}")
    for name, entry in entries.items():
        if entry.instead and entry.instead not in places:
            raise ApiError(f"{WORDS.name}: {entry.instead}, in place of {name}, is not used either")


def example(language: Language, places: list[Use]) -> str:
    """The shortest call; where nobody calls it, what hands it to somebody who does."""
    use = min(places, key=lambda use: (not use.is_call, len(use.code)))
    up = "../" * language.note.count("/")
    return f"{code(use.code)} [{use.path}:{use.line}]({up}{use.path}#L{use.line})"


def code(text: str) -> str:
    return f"`{text}`".replace("|", "\\|")


def tables(entries: dict[str, Entry], language: Language) -> str:
    names = declared()
    places = used(names)
    checked(entries, places)
    if unknown := sorted(entries.keys() - names.keys()):
        raise ApiError(f"in {WORDS.name} but in no header: {', '.join(unknown)}")
    number = LANGUAGES.index(language)
    lines: list[str] = []
    section = ""
    for name, entry in entries.items():
        if entry.sections[number] != section:
            section = entry.sections[number]
            lines += [*([""] if lines else []), f"## {section}", "", f"| {language.columns} |",
                      "|---|---|---|---|---|"]
        said = entry.words[number]
        if entry.used:
            more = len(places[name]) - 1
            shown = example(language, places[name]) + (language.more.format(more) if more else "")
        elif entry.instead:
            shown = language.instead.format(example(language, places[entry.instead]), said.why)
        else:
            shown = language.unused.format(said.why)
        lines.append(f"| {code(names[name])} | {shown} | {said.what} | {said.stages} "
                     f"| {said.threads} |")
    return "\n".join(lines) + "\n"


def page(entries: dict[str, Entry], language: Language) -> str:
    """With what a person wrote before the first table."""
    first = f"\n## {next(iter(entries.values())).sections[LANGUAGES.index(language)]}\n"
    by_hand, found, _ = (ROOT / language.note).read_text(encoding="utf-8").partition(first)
    if not found:
        raise ApiError(f"{language.note} has no heading {first.strip()}")
    return f"{by_hand}\n{tables(entries, language)}"


def main(command: str) -> int:
    try:
        if command == "used":
            for name, places in used(declared()).items():
                print(name, *(f"{use.path}:{use.line}" for use in places))
            return 0
        entries = words(WORDS.read_text(encoding="utf-8"))
        for language in LANGUAGES:
            text = page(entries, language)
            if command == "write":
                (ROOT / language.note).write_text(text, encoding="utf-8")
            elif (ROOT / language.note).read_text(encoding="utf-8") != text:
                raise ApiError(f"{language.note} is stale: run `make api`")
        return 0
    except ApiError as error:
        print(f"api: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in ("write", "check", "used"):
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1]))

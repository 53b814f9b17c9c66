"""No word of the course is used before it is explained: the glossary says where that is done. Its
Chinese words are those that the Chinese pages use."""

from __future__ import annotations

import pathlib
import re
import shutil

import pytest

from tests.notes import notes

ROOT = pathlib.Path(__file__).resolve().parents[2]
ROW = re.compile(r"^\| (?P<names>[^|]+) \| [^|]+ \| [^|]+ \| \[[^]]+\]\((?P<page>[^)]+)\) \|")
ASIDE = "，也译“[^”]*”"  # another word for it, which is not used after the first time
ENDING = "(?:s|es|ed|ing)?"


def prose(path: pathlib.Path) -> str:
    """What a reader reads: no title, no code, but the words in drawings."""
    text = re.sub(r"^```mermaid\n(.*?)^```$", r"\1", path.read_text(encoding="utf-8"),
                  flags=re.M | re.S)
    lines = re.sub(r"^(#|<!--|\[`).*$", "", re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S),
                   flags=re.M)
    return re.sub(r"\]\([^)]*\)", "]", lines)


def first_use(name: str, text: str) -> tuple[int, bool] | None:
    """Where, and whether it is marked there, as a word that is new: *so*, or `SO` if it is code."""
    word = re.escape(name).replace(r"\ ", "[ -]")
    marked = rf"\*{word}{ENDING}\*|`{word}`"
    text = re.sub(rf"(?!`{word}`)`[^`\n]+`", lambda code: " " * len(code[0]), text, flags=re.I)
    found = re.search(rf"(?P<marked>{marked})|\b{word}{ENDING}\b", text, re.I)
    return found and (found.start(), found["marked"] is not None)


def too_early(root: pathlib.Path) -> list[str]:
    """The terms that are used on a page before the one that explains them, or on that one before
    they are marked as new."""
    order = notes.course(root)
    wrong = []
    rows = [row for line in (root / "notes/glossary.md").read_text(encoding="utf-8").split("\n")
            if (row := ROW.match(line))]
    for row in rows:
        if row["page"] not in order:
            wrong.append(f"{row['names']}: {row['page']} is no page of the course")
            continue
        before = order[:order.index(row["page"])]
        for name in row["names"].split(", "):
            wrong += [f"{name}: used in {page} already" for page in before
                      if first_use(name, prose(root / "notes" / page))]
            here = first_use(name, prose(root / "notes" / row["page"]))
            if here is None or not here[1]:
                wrong.append(f"{name}: not new where {row['page']} first uses it")
    return wrong if rows else ["the glossary has no rows"]


def test_no_word_is_used_before_it_is_explained():
    """Fails where a note uses a term that a later one introduces, or that nobody does."""
    assert too_early(ROOT) == []


def test_every_row_says_where():
    """Fails where a term of the glossary is not looked at, because its row has another form."""
    lines = (ROOT / "notes/glossary.md").read_text(encoding="utf-8").split("\n")
    rows = [line for line in lines if line.startswith("| ")][1:]
    assert len(rows) > 30 and [line for line in rows if not ROW.match(line)] == []


@pytest.mark.parametrize("page, old, new, what", [
    ("00_sockets.md", "A server has one thread.", "A server is a reactor.",
     "reactor: used in 00_sockets.md already"),
    ("00_sockets.md", "  subgraph n [event loop: one thread]", "  subgraph n [one bufferevent]",
     "bufferevent: used in 00_sockets.md already"),
    ("steps.md", "are a *batch*", "are a batch", "batch: not new where steps.md first uses it"),
    ("steps.md", "Eight small servers.", "Eight small loops, each with a batch.",
     "batch: not new where steps.md first uses it"),
    ("glossary.md", "| back-pressure |", "| no such term |",
     "no such term: not new where steps.md first uses it"),
    ("glossary.md", "[steps](steps.md)", "[notes](none.md)",
     "back-pressure: none.md is no page of the course"),
])
def test_what_is_too_early_is_found(tmp_path, page, old, new, what):
    """Fails where the check cannot fail: a word that comes too early, in a drawing too, is not
    marked, or stands nowhere."""
    shutil.copytree(ROOT / "notes", tmp_path / "notes")
    path = tmp_path / "notes" / page
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    assert too_early(tmp_path) == [what]


def cells(path: pathlib.Path) -> list[list[str]]:
    rows = [line for line in path.read_text(encoding="utf-8").splitlines() if line[:2] == "| "]
    return [[cell.strip() for cell in row.strip("| ").split(" | ")] for row in rows[1:]]


def unused(root: pathlib.Path) -> list[str]:
    """The Chinese words of the glossary that no page uses."""
    tree = notes.Tree(root)
    text = "".join(prose(path) for path in tree.notes() if tree.original(path)
                   and path.name != "glossary.md")
    words = [word for row in cells(root / "notes/zh/glossary.md")
             for word in re.split("[（）、]", re.sub(ASIDE, "", row[0])) if word]
    return [word for word in words if word not in text] if words else ["the glossary has no rows"]


def test_every_word_of_the_glossary_is_used():
    """Fails where the glossary promises a word, and the Chinese pages use another."""
    tree = notes.Tree(ROOT)
    if not all(tree.translation(page).is_file() for page in tree.translated()):
        pytest.skip("not all pages are there in Chinese")
    assert unused(ROOT) == []


@pytest.mark.parametrize("old, new, what", [
    ("| 背压 |", "| 反压 |", ["反压"]),
    ("| 消息定界（粘包、半包、拆包） |", "| 消息定界（粘包、半包、碎包） |", ["碎包"]),
    ("，也译“反应器”", "、响应器", ["响应器"]),
])
def test_a_word_that_nobody_uses_is_found(tmp_path, old, new, what):
    """Fails where the check cannot fail, or passes over a second word."""
    for page in ("README.zh.md", "README.md"):
        shutil.copy(ROOT / page, tmp_path)
    shutil.copytree(ROOT / "notes", tmp_path / "notes")
    path = tmp_path / "notes/zh/glossary.md"
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")
    assert sorted(set(unused(tmp_path)) - set(unused(ROOT))) == what


def test_both_glossaries_have_the_same_words():
    """Fails where a term is added, or called by another word, in one language alone."""
    english, chinese = (cells(ROOT / "notes" / name) for name in ("glossary.md", "zh/glossary.md"))
    assert [row[:2] for row in english] == [row[1::-1] for row in chinese]
    assert all(all(row) for row in english + chinese)


def test_code_is_no_use_of_a_word(tmp_path):
    """Fails where `session->advance` counts as prose, or a word that is code can never be new."""
    text = "Then `session->advance`, and `EAGAIN`; the *sessions* end.\n"
    assert first_use("session", text) == (text.index("*sessions*"), True)
    assert first_use("EAGAIN", text) == (text.index("`EAGAIN`"), True)
    assert first_use("swap", text) is None
    (tmp_path / "page.md").write_text(f"# session\n{text}```cpp\nsession\n```\n", encoding="utf-8")
    assert prose(tmp_path / "page.md").strip() == text.strip()

"""The tool that keeps the notes true, tried on copies of the tree that were made untrue."""

from __future__ import annotations

import pathlib
import re
import shutil
import subprocess
import sys

import pytest

from tests import harness, trees
from tests.lib import cpp
from tests.notes import changed, notes

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(name="copy")
def fixture_copy(tmp_path):
    """A copy of what the notes talk about."""
    def ignore(_, names):
        return [name for name in names if name in ("build", ".git", "__pycache__")]
    shutil.copytree(ROOT, tmp_path / "lab", ignore=ignore, symlinks=True)
    tree = notes.Tree(tmp_path / "lab")
    notes.write(tree, tree.notes(), run=False)  # others may be editing the original right now
    return tree


def edit(tree, name, old, new):
    path = tree.root / name
    text = path.read_text(encoding="utf-8")
    assert text.count(old) >= 1, f"{name} does not contain {old!r}"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def line_of(tree, name, text):
    lines = (tree.root / name).read_text(encoding="utf-8").split("\n")
    return lines.index(text) + 1


def complaints(tree):
    """What fails."""
    return [str(problem) for problem in notes.check(tree, run=False) if not problem.due]


def due(tree):
    """What is printed, and fails nothing."""
    return [str(problem) for problem in notes.check(tree, run=False) if problem.due]


def main(tree, *arguments):
    """The program itself: it ends with 0 or 1, whatever it finds."""
    program = (sys.executable, "-B", "-m", "tests.notes.notes")
    return subprocess.run([*program, *arguments, "--root", tree.root], cwd=ROOT,
                          capture_output=True, text=True, check=False)


def test_untouched_copy_is_true(copy):
    """Catches a checker that complains about what it has just written."""
    assert complaints(copy) == []


def test_a_clone_may_have_any_name(copy, tmp_path):
    """Fails where a page is told by a folder that lies above the tree: in a clone named zh each
    page was a translation, in one named solutions there were no pages."""
    before = [copy.name(path) for path in copy.notes()]
    root = copy.root
    for folder in ("zh", "lab", "solutions", "notes/zh"):
        (tmp_path / folder).parent.mkdir(exist_ok=True)
        root = root.rename(tmp_path / folder)
        tree = notes.Tree(root)
        assert complaints(tree) == [] and [tree.name(path) for path in tree.notes()] == before
        assert not notes.is_of_the_lab(tree, tree.root / "README.md")


@pytest.mark.parametrize("page, original, there, back", [
    ("README.zh.md", "README.md", "README.zh.md", "README.md"),
    ("notes/zh/lab/1_1.md", "notes/lab/1_1.md", "../zh/lab/1_1.md", "../../lab/1_1.md"),
    ("notes/zh/steps.md", "notes/steps.md", "zh/steps.md", "../steps.md"),
])
def test_each_page_links_to_its_twin_and_back(copy, page, original, there, back):
    """Fails where a page in a folder, or at the top, has no translation to the program, or a
    reader of one cannot get to the other."""
    (copy.root / page).parent.mkdir(exist_ok=True)
    (copy.root / page).unlink(missing_ok=True)
    notes.write(copy, copy.notes(), run=False)
    text = f"# 标题\n\n[x]({back})\n"
    (copy.root / page).write_text(text, encoding="utf-8")
    assert {f"{original}:1: links behind its title not to [中文]({there})",
            f"{page}:1: links behind its title not to [English]({back})"} <= set(complaints(copy))
    notes.write(copy, copy.notes(), run=False)
    assert (copy.root / page).read_text(encoding="utf-8") == text.replace(
        "\n\n", f"\n\n[English]({back})\n\n", 1)
    assert f"\n\n[中文]({there})\n\n" in (copy.root / original).read_text(encoding="utf-8")
    assert not any("links behind its title" in text for text in complaints(copy))
    (copy.root / page).unlink()
    notes.write(copy, copy.notes(), run=False)  # and takes the link away again
    assert there not in (copy.root / original).read_text(encoding="utf-8")


@pytest.mark.parametrize("name, page", [
    ("README.zh.md", "README.zh.md"), ("lab/1_1.md", "notes/zh/lab/1_1.md"),
    ("README.md", "notes/zh/README.md"), ("notes/zh/steps.md", "notes/zh/steps.md"),
])
def test_a_translation_in_any_folder_is_brought_up_to_date(copy, name, page):
    """Fails where saying so marks another page, or one in a folder stays due for ever."""
    path = copy.root / page
    path.parent.mkdir(exist_ok=True)
    original = copy.original(path)
    path.write_text("".join(f"{line}\n" for line in notes.directives(original)), encoding="utf-8")
    assert any(line.startswith(f"{page}:1: due: ") for line in due(copy))
    notes.translation_done(copy, name)
    assert not any(line.startswith(f"{page}:") and "changed after" in line for line in due(copy))
    edit(copy, copy.name(original), "# ", "# New: ")
    assert any(line.startswith(f"{page}:1: due: {copy.name(original)} changed after")
               for line in due(copy))


def test_changed_function_names_note_and_line(copy):
    """Catches a checker that compares names but not bodies."""
    edit(copy, "01_plain_epoll/server.cc", "c.out.consume(sent.bytes);", "c.out.clear();")
    quote = "quote 01_plain_epoll/server.cc on_writable"
    line = line_of(copy, "notes/01_plain_epoll.md", f"<!-- {quote} -->")
    assert f"notes/01_plain_epoll.md:{line}: {quote} is stale" in complaints(copy)


def test_moved_function_is_stale_until_written(copy):
    """Catches a checker that ignores the link to the lines, and a writer that does not mend it."""
    edit(copy, "02_epoll_reactor/server.cc", "// Stage 2", "// A new line.\n// Stage 2")
    assert any("02_epoll_reactor.md" in text and "stale" in text for text in complaints(copy))
    notes.write(copy, copy.notes(), run=False)
    assert complaints(copy) == []


def test_edited_quote_is_stale(copy):
    """Catches a checker that trusts the note instead of the source."""
    edit(copy, "notes/02_epoll_reactor.md", "  channel.handler = std::move(handler);", "  // ...")
    assert any("Reactor::watch#1 is stale" in text for text in complaints(copy))


def test_changed_file_makes_what_changes_stale(copy):
    """Catches a checker that looks at functions only, and files that are said to differ and do
    not."""
    files = [f"notes/steps/{name}.cc" for name in ("5_time", "6_fresh_clock")]
    directive = f"changes {' '.join(files)}"
    line = line_of(copy, "notes/steps.md", f"<!-- {directive} -->")
    edit(copy, files[1], "// New here: the clock", "// New: the clock")
    assert f"notes/steps.md:{line}: {directive} is stale" in complaints(copy)
    shutil.copy(copy.root / files[0], copy.root / files[1])
    assert f"notes/steps.md:{line}: {' and '.join(files)} are the same" in complaints(copy)


def test_a_link_of_code_follows_its_line(copy):
    """Fails where a row of a table leads to another line than the one whose code it shows, or
    stays silent when there is none or are two; and where a moved line makes a translation old."""
    file = "01_plain_epoll/server.cc"
    path = copy.root / "notes/00_sockets.md"
    told = "| x | [`epoll_create1(`](../01_plain_epoll/server.cc#L1) |"
    path.write_text(path.read_text(encoding="utf-8") + told + "\n", encoding="utf-8")
    line = line_of(copy, "notes/00_sockets.md", told)
    complaint = f"notes/00_sockets.md:{line}: a link of code is to another line"
    assert complaint in complaints(copy)
    before = notes.digest(copy, path)
    for _ in range(2):
        notes.write(copy, copy.notes(), run=False)
        assert complaints(copy) == [] and notes.digest(copy, path) == before
        number = re.findall(r"\[`epoll_create1\(`\].*#L(\d+)", path.read_text(encoding="utf-8"))
        assert "epoll_create1(" in copy.text(file).split("\n")[int(*number) - 1]
        edit(copy, file, "// Stage 1", "// A new line.\n// Stage 1")
    edit(copy, file, "// Stage 1", "// epoll_create1( epoll_create1(\n// Stage 1")
    assert any(f":{line}: epoll_create1( is on 2 lines of {file}" in t for t in complaints(copy))


def test_renamed_function_is_an_error(copy):
    """Catches a missing function that is passed over in silence."""
    edit(copy, "common/http_session.cc", "HttpSession::read_chunks() {", "HttpSession::chunks() {")
    assert any("http_session.cc defines no HttpSession::read_chunks" in text
               for text in complaints(copy))


@pytest.mark.parametrize("link, reason", [
    ("[x](no_such.md)", "no such file"),
    ("[x](glossary.md#no-such-heading)", "no such place"),
    ("[x](../01_plain_epoll/server.cc#L99999)", "no such place"),
])
def test_dead_link(copy, link, reason):
    """Catches a checker that does not follow links and anchors."""
    path = copy.root / "notes/README.md"
    path.write_text(path.read_text(encoding="utf-8") + link + "\n", encoding="utf-8")
    assert any("notes/README.md:" in text and reason in text for text in complaints(copy))


def test_good_anchors(copy):
    """Catches a checker that does not know how a code host names headings."""
    path = copy.root / "notes/README.md"
    text = path.read_text(encoding="utf-8")
    text += "\n## A `new` one: yes, 术语!\n\n[x](#a-new-one-yes-术语)\n"
    path.write_text(text, encoding="utf-8")
    assert [text for text in complaints(copy) if "no such place" in text] == []


def test_function_left_out_of_its_note(copy):
    """Catches a coverage check that looks for the word instead of the quote."""
    directive = "<!-- link 03_libevent_raw/server.cc on_signal -->"
    edit(copy, "notes/03_libevent_raw.md", directive, "on_signal")
    assert any("neither quotes nor links on_signal" in text for text in complaints(copy))


@pytest.mark.parametrize("old, new, reason", [
    ("<summary>Answer</summary>", "<summary>Hint</summary>", "question 1 has no folded answer"),
    ("<!-- run", "<!-- ran", "question 1 has an answer that no command shows"),
    ("\n**1. ", "\n**1. Why?**\n\n**2. ", "question 1 has no folded answer"),
])
def test_question_without_an_answer(copy, old, new, reason):
    """Fails where a question may stand without an answer, with one that is only asserted, or with
    that of the question after it."""
    path = copy.root / "notes/00_sockets.md"
    before, heading, after = path.read_text(encoding="utf-8").partition("\n## Questions\n")
    assert heading and old in after
    path.write_text(before + heading + after.replace(old, new), encoding="utf-8")
    assert any("notes/00_sockets.md:" in text and reason in text for text in complaints(copy))


def test_where_questions_are_asked():
    """Fails where a note asks under another heading, at which nobody looks for answers."""
    pages = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "notes").glob("*.md")}
    asking = {name for name, text in pages.items() if "\n## Questions\n" in text}
    assert asking >= {f"{stage}.md" for stage in harness.STAGES} | {"00_sockets.md", "05_evhttp.md"}
    others = {name for name, text in pages.items()
              if re.search("^#+ (Exercises|Try it)$", text, re.MULTILINE)}
    assert others == set()


def test_each_change_is_in_an_answer():
    """Fails where a patch is left behind by its question."""
    pages = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "notes").glob("*.md"))
    patches = [path.stem for path in (ROOT / "notes/changed").glob("*.patch")]
    assert patches and [name for name in patches if f"make -s changed X={name}" not in pages] == []


def test_a_change_is_judged_by_tests_that_ran():
    """Fails where a misspelt test lets every change pass."""
    with pytest.raises(trees.Failure, match="no test could be run"):
        changed.failing(ROOT / "build", "01_plain_epoll", "no_such_test")


def test_misspelt_directive(copy):
    """Catches a directive that is taken for an ordinary comment and never checked again."""
    edit(copy, "notes/01_plain_epoll.md", "<!-- quote ", "<!-- qoute ")
    assert any("unknown directive qoute" in text for text in complaints(copy))


def test_original_changes_after_its_translation(copy):
    """Catches translations that grow old unnoticed, and a digest that quotes can upset."""
    changed = "zh/00_sockets.md:1: due: notes/00_sockets.md changed after this translation did"
    notes.translation_done(copy, "00_sockets.md")  # whether or not it is
    before = due(copy)
    edit(copy, "common/socket.cc", "  ssize_t got = 0;", "  ssize_t got = 0;  // so far")
    notes.write(copy, copy.notes(), run=False)
    assert due(copy) == before
    edit(copy, "notes/00_sockets.md", "A server has one thread.", "A server has two threads.")
    assert any(changed in text for text in due(copy))
    assert complaints(copy) == []
    notes.translation_done(copy, "00_sockets.md")
    assert due(copy) == before


def test_translation_leaves_a_quote_out(copy):
    """Catches a translation that is shorter than its original, or is missing."""
    edit(copy, "notes/zh/00_sockets.md", "<!-- link common/socket.h IoResult -->", "")
    assert any("zh/00_sockets.md:1: due: quotes or runs other things" in t for t in due(copy))
    (copy.root / "notes/zh/00_sockets.md").unlink()
    assert any("zh/00_sockets.md:1: due: there is no translation" in t for t in due(copy))


def test_original_runs_more(copy):
    """Catches a checker that fails, or that is silent, while a translation has yet to follow."""
    path = copy.root / "notes/00_sockets.md"
    path.write_text(path.read_text(encoding="utf-8") + "\n<!-- run -->\n```sh\necho new\n```\n",
                    encoding="utf-8")
    checked = main(copy, "check", "--may-lag")
    assert "zh/00_sockets.md:1: due: quotes or runs other things" in checked.stdout
    assert checked.returncode == 0 and "notes: 0 problems, " in checked.stdout, checked
    assert main(copy, "check").returncode == 1  # who does not say so gets no green


def test_original_runs_less(copy):
    """Catches a checker that fails where a translation shows what its original no longer runs."""
    text = (copy.root / "notes/zh/00_sockets.md").read_text(encoding="utf-8")
    text += "\n<!-- run -->\n```sh\necho old\n```\n```text\nold\n```\n"
    (copy.root / "notes/zh/00_sockets.md").write_text(text, encoding="utf-8")
    assert any("zh/00_sockets.md" in line and "due: the original runs no such commands" in line
               for line in due(copy))
    assert main(copy, "write").returncode == 0  # which leaves it as it is
    assert (copy.root / "notes/zh/00_sockets.md").read_text(encoding="utf-8") == text


@pytest.mark.parametrize("name", ["00_sockets.md", "exercises.md"])
def test_original_is_gone(copy, name):
    """Catches a checker that ends with an exception where a note was renamed, or lets the quotes of
    its old translation go unchecked."""
    (copy.root / "notes" / name).rename(copy.root / "notes/renamed.md")
    checked = main(copy, "check")
    assert f"notes/zh/{name}:1: due: there is no notes/{name} any more" in checked.stdout
    assert checked.stderr == "" and "notes: " in checked.stdout, checked
    assert not any(text.startswith("notes/zh/") for text in complaints(copy))  # English links fail
    done = main(copy, "translated", name)
    assert (done.returncode, done.stderr) == (1, f"notes: there is no file notes/{name}\n")


def test_wrong_quote_in_a_translation(copy):
    """Catches a checker to which all that a translation lacks is only due."""
    (copy.root / "notes/00_sockets.md").rename(copy.root / "notes/renamed.md")
    edit(copy, "notes/zh/00_sockets.md", "```cpp\n", "```cpp\n// not in the source\n")
    assert any("notes/zh/00_sockets.md" in text and "is stale" in text for text in complaints(copy))
    assert main(copy, "check", "--may-lag").returncode == 1


def test_a_chinese_page_leads_to_chinese_pages(copy):
    """Fails where a Chinese reader is sent to an English page of which there is a Chinese one."""
    before = set(due(copy))
    wrong = {("notes/zh/00_sockets.md", "../01_plain_epoll.md"),
             ("notes/zh/00_sockets.md", "../01_plain_epoll.md#the-question"),
             ("notes/zh/00_sockets.md", "../00_sockets.md"), ("README.zh.md", "notes/README.md")}
    right = {("notes/zh/00_sockets.md", "../contract.md"),
             ("notes/zh/00_sockets.md", "../../01_plain_epoll/server.cc"),
             ("notes/00_sockets.md", "zh/01_plain_epoll.md")}
    for page, link in wrong | right:
        with (copy.root / page).open("a", encoding="utf-8") as file:
            file.write(f"[x]({link})\n")
    found = {(line.split(":")[0], link) for line in set(due(copy)) - before
             for _, link in wrong | right if f"link to {link}: it is there in Chinese" in line}
    assert found == wrong


# ---- commands ------------------------------------------------------------------------------------


def render(tmp_path, text, name="note.md", original=None):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    with notes.Shell(ROOT) as shell:
        return notes.Note(notes.Tree(tmp_path), path, shell, original).render()


def test_output_is_captured_and_compared(tmp_path):
    """Catches outputs that are written once and never looked at again."""
    first = render(tmp_path, "<!-- run -->\n```sh\necho one; echo two >&2\n```\n\nText.\n")
    assert "```text\none\ntwo\n```\n\nText." in first.text
    assert render(tmp_path, first.text).problems == []
    stale = render(tmp_path, first.text.replace("\ntwo\n", "\nthree\n"))
    assert "output is stale" in str(stale.problems[0]) and "+two" in str(stale.problems[0])


def test_failing_and_endless_commands(tmp_path):
    """Catches a runner that ignores exit statuses, or waits for ever."""
    failed = render(tmp_path, "<!-- run quiet -->\n```sh\nfalse; echo on\n```\n")
    assert "exit status 1" in str(failed.problems[0])
    endless = render(tmp_path, "<!-- run quiet seconds=0.3 -->\n```sh\nsleep 60\n```\n")
    assert "not done after 0.3 seconds" in str(endless.problems[0])


def test_write_names_a_failing_command(tmp_path):
    """Catches `make notes` that is content with a note whose commands fail."""
    note = tmp_path / "note.md"
    note.write_text("Text.\n\n<!-- run quiet -->\n```sh\nfalse\n```\n", encoding="utf-8")
    tree = notes.Tree(tmp_path)
    (problem,) = notes.write(tree, [note], run=True)
    assert "exit status 1" in str(problem) and "note.md:3" in str(problem)


def test_missing_program_is_skipped(tmp_path):
    """Catches a checker that fails where an optional tool is not installed, or hides it."""
    text = "<!-- run needs=no-such-program -->\n```sh\nno-such-program\n```\n```text\nkept\n```\n"
    rendered = render(tmp_path, text)
    assert rendered.text == text and rendered.problems == []
    assert rendered.skipped == ["no-such-program is not installed"]


def test_reader_sees_the_ports_he_typed(tmp_path, built):
    """Catches free ports that leak into the note, and servers that outlive it."""
    text = ("<!-- run server=01 -->\n```sh\nbuild/01_plain_epoll\n```\n\n"
            "<!-- run -->\n```sh\ncurl -si http://127.0.0.1:8001/hello\n```\n\n"
            "<!-- run stop=01 quiet -->\n```sh\n! curl -s http://127.0.0.1:8001/hello\n```\n")
    rendered = render(tmp_path, text)
    assert [problem.line for problem in rendered.problems] == [1, 6]  # no output yet, no failure
    assert "listening on 127.0.0.1:7001 (text)\nlistening on 127.0.0.1:8001 (http)" in rendered.text
    assert "HTTP/1.1 200 OK\nDate: Sat, 21 Nov 2026 12:00:00 GMT" in rendered.text


@pytest.fixture(name="built")
def fixture_built():
    if not (ROOT / "build/01_plain_epoll").exists():
        pytest.skip("the stages are not built: make")


def test_translation_takes_the_outputs_of_its_original(tmp_path):
    """Catches a translation that shows other outputs, or runs other commands, than its original."""
    original = render(tmp_path, "<!-- run -->\n```sh\necho $RANDOM\n```\n").text
    same = render(tmp_path, "<!-- run -->\n```sh\necho $RANDOM\n```\n", "zh.md", original)
    assert same.text == original
    other = render(tmp_path, "<!-- run -->\n```sh\necho else\n```\n", "zh.md", original)
    assert "the original runs no such commands" in str(other.problems[0])


def test_translation_takes_the_outputs_in_their_order(tmp_path):
    """Catches a translation that shows for a command that comes twice one of its outputs twice."""
    text = "<!-- run -->\n```sh\necho $RANDOM\n```\n" * 2
    original = render(tmp_path, text).text
    assert render(tmp_path, text, "zh.md", original).text == original


def test_no_two_notes_write_the_same_file():
    """Fails where two notes, which run at the same time, spoil each other's files: one of them
    asked the server whose port the other had just written down."""
    written = [name for page in sorted((ROOT / "notes").glob("*.md"))
               for name in set(re.findall(r"(?:>|-o) ?(build/[\w.-]+)", page.read_text("utf-8")))]
    assert len(written) > 10
    assert sorted(written) == sorted(set(written))


# ---- finding definitions -------------------------------------------------------------------------

SOURCE = '''#include "x.h"
namespace {
struct Point : Base {
  int x = {0};
  int norm() const { return x; }
};
const std::vector<int> kTable = {{1}, {2}};
// What it does,
// and why.
template <void (*handler)(Point&)>
void call(int, void* p) {
  if (*"}" == '}') return;  // }
}
void call(long) {}
}  // namespace
Point::Point(int a)
    : Base{a}, x(a) {
  run([] { return 1; });
}
int proto(int);
'''


@pytest.mark.parametrize("name, first, last", [
    ("Point", 3, 6), ("norm", 5, 5), ("call#1", 8, 13), ("call#2", 14, 14),
    ("Point::Point", 16, 19),
])
def test_definition_is_found(tmp_path, name, first, last):
    """Catches a scanner that is led astray by braces in literals and initialisers."""
    path = tmp_path / "x.cc"
    path.write_text(SOURCE, encoding="utf-8")
    found = cpp.find(path, name)
    assert (found.first, found.last) == (first, last)


def test_what_has_no_body_is_told_apart():
    """Catches a scanner that takes a call in a value for a prototype, or a wrapped prototype for
    the beginning of what follows it."""
    source = ("struct A;\nint a(int,\n      int);\nint b = a(1, 2);\nbool operator<(A, A) {}\n"
              "using T = A;\n")
    found = [(d.name, d.kind, d.begin, d.last) for d in cpp.declarations(source)]
    assert found == [("A", "other", 1, 1), ("a", "prototype", 2, 3), ("b", "other", 4, 4),
                     ("operator<", "function", 5, 5), ("T", "other", 6, 6)]


@pytest.mark.parametrize("name, reason", [
    ("proto", "defines no proto"), ("kTable", "defines no kTable"), ("call", "2 times"),
    ("call#3", "no #3"),
])
def test_definition_is_not_found(tmp_path, name, reason):
    """Catches a finder that takes a prototype, a variable, or any of several."""
    path = tmp_path / "x.cc"
    path.write_text(SOURCE, encoding="utf-8")
    with pytest.raises(cpp.NotFound, match=reason):
        cpp.find(path, name)

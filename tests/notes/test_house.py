"""What the pages beside the notes promise about the tree."""

from __future__ import annotations

import pathlib
import re
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_the_version_is_that_of_the_changes():
    """Fails where a release changes one of the two and not the other."""
    (version,) = re.findall(r'kVersion = "([^"]+)"', read("common/version.h"))
    assert re.findall(r"^## (\d\S*)", read("CHANGELOG.md"), re.M)[0] == version


def test_the_version_stands_in_one_place():
    """Fails where a program has a version of its own: in what it prints, or says of itself."""
    sources = [p for pattern in ("common/*", "0*_*/*") for p in sorted(ROOT.glob(pattern))]
    assert len(sources) > 40
    numbered = r'"\d+\.\d+"|evhttp_\w+[ /]\d|kVersion = "\d'
    assert [str(p.relative_to(ROOT)) for p in sources if re.search(
        numbered, re.sub("//.*", "", p.read_text(encoding="utf-8")))] == ["common/version.h"]


@pytest.mark.parametrize("program", ["02_epoll_reactor", "evhttp_server", "evhttp_client"])
def test_each_program_says_that_version(program):
    """Fails where a program was overlooked."""
    if not (ROOT / "build" / program).exists():
        pytest.skip("not built: make")
    printed = subprocess.run([ROOT / "build" / program, "--version"], capture_output=True,
                             text=True, check=True).stdout
    assert f'"{printed.split()[-1]}"' in read("common/version.h")


def named(pattern: str) -> list[str]:
    return sorted({name for page in ("CONTRIBUTING.md", "README.md", "README.zh.md")
                   for name in re.findall(pattern, read(page))})


@pytest.mark.parametrize("target", named(r"`make ([a-z][a-z0-9-]*)"))
def test_each_target_that_is_named_exists(target):
    """Fails where a page tells its reader to make what cannot be made."""
    given = ("NOTE=x", "DIR=x", "OUT=x", "CP=1", "CHECK=x")  # what some of them ask for
    made = subprocess.run(["make", "-n", target, *given], cwd=ROOT, capture_output=True, text=True,
                          check=False)
    assert made.returncode == 0, made.stderr


@pytest.mark.parametrize("path", [
    name for name in named(r"`((?:common|tests|notes)/[\w./-]+)`")])
def test_each_file_that_is_named_exists(path):
    """Fails where a page sends its reader to a file that was renamed."""
    assert (ROOT / path).exists()


def test_one_stage_is_judged_by_what_it_does():
    """Fails where `make blackbox STAGES_TESTED=01` rejects a long function or another call, and
    where what a client sees is left to those who check the repository."""
    named = subprocess.run(["make", "-n", "blackbox", "STAGES_TESTED=01"], cwd=ROOT,
                           capture_output=True, text=True, check=True).stdout
    assert " -m 'not repository' " in named
    listed = subprocess.run(
        [sys.executable, "-B", "-m", "pytest", "-p", "no:cacheprovider", "-q", "--collect-only",
         "--stage=01", "-m", "repository", "tests/blackbox"], cwd=ROOT, capture_output=True,
        text=True, check=True).stdout
    marked = set(re.findall(r"(test_\w+\.py)::(\w+)", listed))
    assert {test for file, test in marked
            if file not in ("test_stage_shape.py", "test_broken.py")} == {
                "test_system_calls_per_request", "test_changelist"}
    assert {file for file, _ in marked} >= {"test_stage_shape.py", "test_broken.py"}


def test_a_check_that_fails_is_named(tmp_path):
    """Fails where `make test` ends with the first check that fails, or well although one did, or
    does not say which."""
    made = subprocess.run(["make", "-s", "test", "CHECKS=no-such-check help", "AT_ONCE=1",
                           f"BUILD={tmp_path}"], cwd=ROOT, capture_output=True, text=True,
                          check=False)
    assert made.returncode != 0 and made.stdout.splitlines()[-1] == "FAILED: no-such-check"
    assert "list the targets" in made.stdout and "== make help passed" in made.stdout


def test_hooks_and_lint_check_the_same():
    """Fails where a commit is checked for less, or for more, than CI checks."""
    hooks = re.findall(r"entry: make -s ([\w-]+)", read(".pre-commit-config.yaml"))
    (parts,) = re.findall(r"^lint: (.*?)  ##", read("tests/lint/lint.mk"), re.M)
    assert hooks == parts.split() and "lint" in read(".ci/run").split()


def test_hooks_fetch_nothing():
    """Fails where a hook comes from elsewhere: then a commit needs a network, and trust."""
    config = read(".pre-commit-config.yaml")
    assert re.findall(r"repo: *(\S+)", config) == ["local"]
    assert config.count("id: ") == config.count("language: system") > 0


@pytest.mark.parametrize("target", ["format-check", "lint-python", "lint-shell", "lint-spelling"])
def test_each_part_of_lint_finds_something(tmp_path, target):
    """Fails where a tool is run over no file, or what it finds is passed over."""
    lacks = subprocess.run([ROOT / "tests/lint/deps.sh"], capture_output=True, text=True,
                           stdin=subprocess.DEVNULL, check=False)
    if lacks.returncode != 0:
        pytest.skip(" ".join(lacks.stderr.split()))
    tree = tmp_path / "lab"
    shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns("build", ".git", "__pycache__"))
    for name, text in (("common/bad.h", "int  f ( );\n"), ("tests/lint/bad.py", "import os\n"),
                       ("tests/lint/bad.sh", "#!/bin/sh\nrm $1\n"), ("notes/bad.md", "te" "h\n")):
        (tree / name).write_text(text, encoding="utf-8")
    made = subprocess.run(["make", "-s", target], cwd=tree, capture_output=True, text=True,
                          check=False)
    assert made.returncode != 0 and "bad." in made.stdout + made.stderr


def test_the_map_has_each_page_and_each_exercise_once():
    """Fails where a page or an exercise is added and the reader is not led to it, or led twice."""
    rows = [line for line in read("notes/README.md").splitlines() if line.startswith("| ")]
    (head,) = [row for row in rows if "| read |" in row]
    table = rows[rows.index(head) + 1:]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in table]
    column = [cell.strip() for cell in head.strip("|").split("|")]
    pages = [page for row in cells
             for page in re.findall(r"\]\((\w+\.md)\)", row[column.index("read")])]
    assert sorted(pages) == sorted(path.name for path in (ROOT / "notes").glob("*.md")
                                   if path.name != "README.md")
    exercises = [name for row in cells for name in re.findall(r"\d\d\w", row[-1])]
    assert sorted(exercises) == sorted(path.stem for path in
                                       (ROOT / "notes/solutions").glob("*.patch"))

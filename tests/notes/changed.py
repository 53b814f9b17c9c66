"""A program with one change in it, for an answer of a note: does a test notice?

    -m tests.notes.changed NAME [TESTS]    builds build/changed/NAME from notes/changed/NAME.patch,
                                           or from the broken server tests/broken/NAME.patch

Prints the lines that change. With TESTS (pytest -k) it runs those of tests/blackbox against
the program, and names each that fails.
"""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import sys

from tests import harness, trees

FOLDERS = (harness.ROOT / "notes" / "changed", harness.ROOT / "tests" / "broken")
OUTPUT = harness.ROOT / "build" / "changed"


def patch_of(name: str) -> pathlib.Path:
    for folder in FOLDERS:
        if (folder / f"{name}.patch").is_file():
            return folder / f"{name}.patch"
    here = " ".join(sorted(path.stem for path in FOLDERS[0].glob("*.patch")))
    raise trees.Failure(f"there is no change {name!r}; there are {here}, and those of tests/broken")


def build(patch: pathlib.Path, program: str) -> pathlib.Path:
    """Compiles what the patch touches. The folder that holds the program, by its own name."""
    tree, folder = OUTPUT / "trees" / patch.stem, OUTPUT / "bin" / patch.stem
    trees.copy(tree, "build/obj/g++")
    trees.apply(patch, tree)
    trees.make(tree, "CXX=g++", f"build/{program}")
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy2(tree / "build" / program, folder)
    shutil.copy2(tree / "build" / program, OUTPUT / patch.stem)
    shutil.rmtree(tree)
    return folder


def failing(folder: pathlib.Path, program: str, tests: str) -> str:
    """A line for each test that fails."""
    chosen = f"{program} and ({tests})" if program in harness.STAGES else tests
    done = trees.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "-rfE", "--tb=no",
         "-m", "not repository", f"--stage={program}", "-k", chosen, "tests/blackbox"],
        cwd=harness.ROOT, env={**os.environ, "LAB_BIN": str(folder), "LAB_STAGES": ""})
    if done.returncode not in (0, 1):
        raise trees.Failure(f"no test could be run:\n{done.stdout}")
    names = re.findall(r"^(?:FAILED|ERROR) \S*?(test_\w+\.py::\w+)", done.stdout, re.MULTILINE)
    return "\n".join(f"fails: {name}" for name in dict.fromkeys(names)) or "all pass"


def main(argv: list[str]) -> int:
    name, tests = (*argv, "")[:2]
    try:
        patch = patch_of(name)
        text = patch.read_text(encoding="utf-8")
        program = re.findall(r"^Stage: (.+)$", text, re.MULTILINE)[0]
        print("\n".join(re.findall(r"^(?:[-+](?![-+]{2} ).*|\+\+\+ b/.*)", text, re.MULTILINE)),
              flush=True)
        folder = build(patch, program)
        if tests:
            print(failing(folder, program, tests))
    except trees.Failure as why:
        print(why, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Do the tests notice? Broken servers must fail them: see tests/broken/README.md."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import pathlib
import re
import sys

import pytest

from tests import harness, trees

pytestmark = pytest.mark.repository

FOLDER = harness.ROOT / "tests" / "broken"
OUTPUT = harness.ROOT / "build" / "broken"


@dataclasses.dataclass
class Broken:
    """A patch and what its head says."""

    patch: pathlib.Path
    stage: str
    fails: list[str]
    passes: list[str]
    plain: bool  # built without sanitizers, as the tests that take `plain` want it

    @classmethod
    def read(cls, patch: pathlib.Path) -> Broken:
        head = dict(re.findall(r"^(Broken|Stage|Fails|Passes|Build): (.+)$", patch.read_text(),
                               re.MULTILINE))
        plain = head.pop("Build", "") == "plain"
        assert len(head) == 4, f"{patch.name}: its head lacks Broken:, Stage:, Fails: or Passes:"
        return cls(patch, head["Stage"], head["Fails"].split(), head["Passes"].split(),
                   plain)

    @property
    def tree(self) -> pathlib.Path:
        return OUTPUT / self.patch.stem


def under_test(broken: Broken) -> tuple[pathlib.Path, str, str]:
    """Of the build under test: its output folder, the compiler and SAN, by the binaries' folder."""
    folder = harness.binary("").resolve()
    if not folder.name.startswith("bin-"):
        return folder, "g++", ""
    compiler, _, sanitizers = folder.name.removeprefix("bin-").partition("-")
    return folder.parent, compiler, "" if broken.plain else sanitizers.replace("-", ",")


def digest(broken: Broken) -> str:
    sha = hashlib.sha256(broken.patch.read_bytes() + repr(under_test(broken)).encode())
    for source in trees.SOURCES:
        path = harness.ROOT / source
        for file in sorted(path.rglob("*.*")) if path.is_dir() else [path]:
            sha.update(file.read_bytes())
    return sha.hexdigest()


def build(broken: Broken) -> pathlib.Path:
    """The folder of the broken binary; kept until a source or the patch changes."""
    output, compiler, sanitizers = under_test(broken)
    inside = output.relative_to(harness.ROOT)
    name = f"{compiler}-{sanitizers.replace(',', '-')}".rstrip("-")
    folder = broken.tree / inside / (f"bin-{name}" if sanitizers else "")
    stamp, now = broken.tree / "digest", digest(broken)
    if (folder / broken.stage).exists() and stamp.exists() and stamp.read_text() == now:
        return folder
    trees.copy(broken.tree, str(inside / "obj" / name))
    trees.apply(broken.patch, broken.tree)
    trees.make(broken.tree, f"BUILD={inside}", f"CXX={compiler}", f"SAN={sanitizers}",
               str((folder / broken.stage).relative_to(broken.tree)))
    stamp.write_text(now)
    return folder


def failed_of(broken: Broken, folder: pathlib.Path, tests: list[str]) -> tuple[set[str], str]:
    """Which of these tests fail on the broken server, and what pytest printed."""
    paths = [str(pathlib.Path(__file__).parent / test) for test in tests]
    result = trees.run([sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "-rfE",
                        "--tb=line", "--stage", broken.stage, *paths], cwd=harness.ROOT,
                       env={**os.environ, "LAB_BIN": str(folder), "LAB_STAGES": ""})
    assert result.returncode in (0, 1), f"pytest could not run:\n{result.stdout}"
    missing = re.search("StartError|FileNotFoundError", result.stdout)
    assert not missing, f"there was no server to test:\n{result.stdout[-4000:]}"
    found = re.findall(r"^(?:FAILED|ERROR) \S*?(test_\w+\.py::\w+)", result.stdout, re.MULTILINE)
    return set(found), result.stdout[-4000:]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", sorted(patch.stem for patch in FOLDER.glob("*.patch")))
def test_broken_server_fails(name):
    """The tests named in the patch must fail on the broken server, each of them; those it is to
    pass show that it is broken in one place and not dead."""
    broken = Broken.read(FOLDER / f"{name}.patch")
    folder = build(broken)
    failed, printed = failed_of(broken, folder, broken.passes)
    assert not failed, f"{name} is more broken than it should be:\n{printed}"
    unnoticed = set(broken.fails)
    for _ in range(3):  # the scheduler chooses whether a FIN comes with the bytes or behind them
        failed, printed = failed_of(broken, folder, sorted(unnoticed))
        unnoticed -= failed
        if not unnoticed:
            break
    assert not unnoticed, f"{name} passes {sorted(unnoticed)}:\n{printed}"

"""What a grading system is given."""

from __future__ import annotations

import subprocess
import tarfile
import zipfile

import pytest

from tests import harness
from tests.lab import bundle


def contents(system: str, folder) -> dict[str, tuple[bytes, int]]:
    """name -> what stands there, and whether it may be run."""
    assert bundle.main([system, "--stage", "02", "--to", str(folder)]) == 0
    if system == "gradescope":
        with zipfile.ZipFile(folder / "autograder-gradescope.zip") as archive:
            return {entry.filename: (archive.read(entry), entry.external_attr >> 16 & 0o100)
                    for entry in archive.infolist()}
    with tarfile.open(folder / "autograde.tar") as archive:
        return {entry.name: (archive.extractfile(entry).read(), entry.mode & 0o100)
                for entry in archive.getmembers()}


@pytest.mark.parametrize("system, called", [
    ("gradescope", ["setup.sh", "run_autograder"]), ("autolab", ["grade.sh"])])
def test_what_is_in_it(system, called, tmp_path):
    """Fails where a script is missing, may not be run, is no shell script, or grades another stage;
    and where what only lies in this folder is packed, too."""
    found = contents(system, tmp_path)
    for name in called:
        text, may_run = found[name]
        assert may_run and b"@STAGE@" not in text
        subprocess.run(["sh", "-n"], input=text, check=True)
    assert b'STAGE="02_epoll_reactor"' in b"".join(found[name][0] for name in called)
    assert found["lab/tests/deps.sh"][1]
    assert found["lab/Makefile"][0] == (harness.ROOT / "Makefile").read_bytes()
    assert not [name for name in found if name.startswith(("lab/build", "lab/notes"))]


def test_the_same_tree_is_the_same_bundle():
    """Fails where packing it again makes another file of it."""
    for system in (bundle.gradescope, bundle.autolab):
        assert system("") == system("")


def test_no_such_stage(tmp_path, capsys):
    """Fails where a bundle is made that can grade nothing."""
    assert bundle.main(["autolab", "--stage", "9", "--to", str(tmp_path)]) == 2
    assert "no stage '9'" in capsys.readouterr().err and not list(tmp_path.iterdir())

"""Both bundles, run as Gradescope and Autolab run them, but for the container: a half-done stage 1
gets the points of what it has, and what is none gets a reason. (make autograder-test)"""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import zipfile

import pytest

from tests.lab import bundle, start

HALF = 4 + 16 + 14  # points of 1.0 to 1.2


@pytest.fixture(name="mine", scope="module")
def fixture_mine(tmp_path_factory) -> pathlib.Path:
    """A student's folder, written up to 1.2."""
    folder = tmp_path_factory.mktemp("student")
    assert start.main([str(folder), "--from", "3"]) == 0
    return folder


def unpacked(folder: pathlib.Path) -> pathlib.Path:
    """zipfile forgets what may be run."""
    with zipfile.ZipFile(folder / "autograder-gradescope.zip") as archive:
        for entry in archive.infolist():
            archive.extract(entry, folder / "source")
            os.chmod(folder / "source" / entry.filename, entry.external_attr >> 16 & 0o777)
    return folder / "source"


@pytest.mark.timeout(1800)
def test_gradescope(mine, tmp_path):
    """Fails where a path is not Gradescope's, or a refusal leaves it without results."""
    assert bundle.main(["gradescope", "--stage", "01", "--to", str(tmp_path)]) == 0
    source, env = unpacked(tmp_path), {**os.environ, "AUTOGRADER": str(tmp_path)}
    subprocess.run([source / "setup.sh"], env=env, check=True)
    (tmp_path / "submission").symlink_to(mine)
    subprocess.run([source / "run_autograder"], env=env, check=True)
    results = tmp_path / "results" / "results.json"
    graded = json.loads(results.read_text(encoding="utf-8"))
    assert graded["score"] == HALF, graded
    (tmp_path / "submission").unlink()
    (tmp_path / "submission").mkdir()
    subprocess.run([source / "run_autograder"], env=env, check=True)
    refused = json.loads(results.read_text(encoding="utf-8"))
    assert refused["score"] == 0 and "server.cc" in refused["output"]


@pytest.mark.timeout(1800)
def test_autolab(mine, tmp_path):
    """Fails where the last line is not the scores."""
    assert bundle.main(["autolab", "--stage", "01", "--to", str(tmp_path)]) == 0
    (tmp_path / "autograde-Makefile").rename(tmp_path / "Makefile")
    subprocess.run(["make", "-s", "-C", str(mine), "handin"], check=True)
    (mine / "handin.tar.gz").rename(tmp_path / "handin.tar.gz")
    done = subprocess.run(["make", "-s"], cwd=tmp_path, stdout=subprocess.PIPE, text=True,
                          check=True)
    scores = json.loads(done.stdout.splitlines()[-1])["scores"]
    assert sum(scores.values()) == HALF, done.stdout

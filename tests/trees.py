"""Copies of the sources with a patch in them: solutions of exercises, and broken servers."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess

from tests import harness

SOURCES = ("Makefile", "common", *harness.STAGES)


class Failure(Exception):
    """What is wrong with a patch, in a sentence for its author."""


def run(command: list, **kwargs) -> subprocess.CompletedProcess:
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", check=False, **kwargs)


def copy(tree: pathlib.Path, *objects: str, source: pathlib.Path = harness.ROOT) -> None:
    """The sources and those folders of objects. Times are kept, so that make compiles only what a
    patch touches; the objects' dependency files name the same relative paths."""
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir(parents=True)
    for name in (*SOURCES, *objects):
        path = source / name
        if path.is_dir():
            shutil.copytree(path, tree / name)
        elif path.exists():
            shutil.copy2(path, tree / name)


def apply(patch: pathlib.Path, tree: pathlib.Path) -> None:
    with open(patch, encoding="utf-8") as lines:
        applied = run(["patch", "-p1", "--forward", "--batch", "--no-backup-if-mismatch"],
                      stdin=lines, cwd=tree)
    if applied.returncode != 0:
        raise Failure(f"{patch.relative_to(harness.ROOT)} no longer applies: the code it "
                      f"changes has changed. Make the same change to the new code.\n"
                      f"{applied.stdout}")


def make(tree: pathlib.Path, *arguments: str) -> None:
    """Builds there, whatever the make that runs this was told."""
    hidden = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "SAN", "BUILD", "LAB_BIN")
    made = run(["make", "-s", *arguments], cwd=tree,
               env={k: v for k, v in os.environ.items() if k not in hidden})
    if made.returncode != 0:
        raise Failure(f"{tree.name} does not compile:\n{made.stdout}")

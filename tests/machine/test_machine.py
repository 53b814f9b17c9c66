"""The container of .devcontainer/ is the machine that notes/machine.md promises."""

from __future__ import annotations

import functools
import json
import pathlib
import re
import shutil
import subprocess

import pytest

from tests import harness
from tests.machine import machine

ROOT = harness.ROOT
FILES = (".devcontainer/Dockerfile", ".devcontainer/devcontainer.json", "notes/machine.md")


@functools.cache
def needed() -> frozenset[str]:
    """What installs what the README's commands need, and lint, by what make would run."""
    typed = set(re.findall(r"\bmake [a-z][\w-]*(?: [A-Z]+=[\w~/.-]+)*",
                           (ROOT / "README.md").read_text("utf-8")))
    said = [subprocess.run(["make", "-n", *command.split()[1:]], cwd=ROOT, check=True,
                           capture_output=True, text=True).stdout
            for command in (*typed, "make lint")]
    return frozenset(re.findall(r"^(tests/\S*deps\.sh)", "".join(said), re.M))


def user_of(steps: list[tuple[str, str]]) -> str:
    return next((rest for name, rest in reversed(steps) if name == "USER"), "root")


def of_the_dockerfile(root: pathlib.Path, steps: list[tuple[str, str]]):
    """What is wrong with it, each in a sentence."""
    def all_of(name: str) -> list[str]:
        return [rest for step, rest in steps if step == name]

    if all_of("FROM") not in (["debian:bookworm"], ["debian:trixie"]):
        yield "the base is no release by its name for which the tree is kept"
    for name, rest in steps:
        if re.search(r"--platform|amd64|x86|arm64|aarch64", rest):
            yield f"{name} is for one architecture alone"
    copied = [name for rest in all_of("COPY") for name in rest.split()[:-1]]
    yield from (f"there is no {name}" for name in copied if not (root / name).is_file())
    words = " ".join(all_of("RUN")).split()
    if set(words) & {"apt", "apt-get", "dpkg", "pip", "pip3", "npm", "curl"}:
        yield "something is installed beside the lists"
    run = {word for word in words if word.endswith("deps.sh")}
    yield from (f"{name} is not run" for name in sorted(needed() - run))
    if strange := set(copied) ^ (run | {"tests/need.sh"}):
        yield f"what is copied is not what is run: {sorted(strange)}"
    user = user_of(steps)
    if not re.search(rf"useradd .*--uid 1000 .*\b{user}\b", " ".join(all_of("RUN"))):
        yield f"{user} is not made here, as user 1000"


def faults(root: pathlib.Path) -> list[str]:
    dockerfile, settings, page = ((root / name).read_text(encoding="utf-8") for name in FILES)
    steps = machine.steps(dockerfile)
    found = list(of_the_dockerfile(root, steps))
    # Comments are allowed in this one, on lines of their own here.
    says = json.loads(re.sub(r"^ *//.*$", "", settings, flags=re.M))
    folder = root / ".devcontainer"
    if not (folder / says["build"]["dockerfile"]).is_file():
        found.append("its Dockerfile is elsewhere")
    if (folder / says["build"].get("context", ".")).resolve() != root.resolve():
        found.append("its context is not the tree")
    if "--cap-add=SYS_PTRACE" not in says["runArgs"]:
        found.append("nothing may be traced")
    if "--init" not in says["runArgs"]:
        found.append("nobody takes away what has lost its parent")
    if says["remoteUser"] != user_of(steps):
        found.append("its user is not the Dockerfile's")
    typed = re.findall(r"^docker run .*", page, re.M)
    if not typed or any(arg not in line.split() for line in typed for arg in says["runArgs"]):
        found.append("who starts it by hand gets another machine")
    return found


def test_the_machine_is_what_the_page_promises():
    """Fails where the image is another one next year or on another processor, where its user is
    root, lacks what the README's commands need, or may not trace."""
    assert faults(ROOT) == []


@pytest.mark.parametrize("file, old, new, what", [
    (0, "debian:trixie", "debian:stable", "the base is no release by its name"),
    (0, "debian:trixie", "debian:latest", "the base is no release by its name"),
    (0, "FROM debian", "FROM --platform=linux/amd64 debian", "FROM is for one architecture alone"),
    (0, "tests/need.sh", "tests/needs.sh", "there is no tests/needs.sh"),
    (0, "tests/need.sh tests/deps.sh", "tests/deps.sh", "what is copied is not what is run"),
    (0, "COPY tests/next", "COPY tests/soak/soak.py tests/next", "what is copied is not what"),
    (0, " && tests/lint/deps.sh", "", "tests/lint/deps.sh is not run"),
    (0, " && tests/deps.sh", " && apt-get install -y g++", "something is installed beside"),
    (0, "USER student\n", "", "root is not made here"),
    (0, "USER student\n", "USER student\nUSER root\n", "root is not made here"),
    (0, "--uid 1000", "--uid 1001", "student is not made here, as user 1000"),
    (1, '"dockerfile": "', '"dockerfile": "../', "its Dockerfile is elsewhere"),
    (1, ', "context": ".."', "", "its context is not the tree"),
    (1, "SYS_PTRACE", "SYS_ADMIN", "nothing may be traced"),
    (1, '"--init", ', "", "nobody takes away what has lost its parent"),
    (1, '"student"', '"root"', "its user is not the Dockerfile's"),
    (2, " --init", "", "who starts it by hand gets another machine"),
    (2, " --cap-add=SYS_PTRACE", "", "who starts it by hand gets another machine"),
])
def test_another_machine_is_noticed(tmp_path, file, old, new, what):
    """Fails where the check above cannot fail."""
    for name in {*FILES, *needed(), ".devcontainer/deps.sh", "tests/need.sh", "tests/soak/soak.py"}:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    path = tmp_path / FILES[file]
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    assert any(fault.startswith(what) for fault in faults(tmp_path)), faults(tmp_path)


def test_a_step_that_cannot_be_followed_is_an_error():
    """Fails where `make machine-test` passes over a step, and so proves less than the image has."""
    followed = machine.steps("# so\nRUN a \\\n # b\n && c\nUSER d\n")
    assert followed == [("RUN", "a && c"), ("USER", "d")]
    with pytest.raises(ValueError, match="ADD here"):
        machine.hooks("FROM debian:trixie\nADD here /there\n", "true")

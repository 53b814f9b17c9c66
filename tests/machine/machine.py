"""Follows .devcontainer/Dockerfile without Docker, in a fresh chroot of the Debian that it names.

    -m tests.machine.machine COMMAND     what its user types at the end, in a copy of the tree

mmdebstrap makes the chroot in $TMPDIR, mounts /proc and /dev there, and removes all at the end.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys

from tests import harness

DOCKERFILE = harness.ROOT / ".devcontainer" / "Dockerfile"
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def steps(text: str) -> list[tuple[str, str]]:
    """Each instruction and what stands behind it: no comments, one line each."""
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    return [(line.split()[0], line.split(maxsplit=1)[1])
            for line in re.sub(r"\\\n\s*", "", lines).splitlines() if line]


def hooks(text: str, command: str) -> list[str]:
    """For mmdebstrap, which runs them in a shell outside of the chroot $1. What a step may be is
    what the Dockerfile has: another one is an error."""
    found, user, variables = [], "root", [PATH]

    def typed(line: str, where: str) -> str:
        return (f'chroot "$1" setpriv --reuid {user} --regid {user} --init-groups '
                f"env -i {shlex.join(variables)} "
                f"sh -c {shlex.quote(f'cd {where} && {{ {line}; }}')}")

    for name, rest in steps(text):
        if name == "COPY":
            *sources, folder = rest.split()
            files = shlex.join(str(harness.ROOT / source) for source in sources)
            found.append(f'mkdir -p "$1{folder}" && cp {files} "$1{folder}"')
        elif name == "RUN":
            found.append(typed(rest, "/"))
        elif name == "USER":
            user = rest
        elif name == "ENV":
            variables.append(rest)
        elif name != "FROM":
            raise ValueError(f"{name} {rest}: not a step that can be followed here")
    tree = shlex.quote(str(harness.ROOT))
    found.append(f'mkdir "$1/lab" && tar -C {tree} --exclude=./build --exclude=./.git -c . | '
                 'tar -C "$1/lab" -x && chown -R 1000:1000 "$1/lab"')
    return [*found, typed(command, "/lab")]


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    text = DOCKERFILE.read_text(encoding="utf-8")
    release = dict(steps(text))["FROM"].removeprefix("debian:")
    return subprocess.run(
        ["mmdebstrap", "--variant=minbase", "--format=null",
         *(f"--customize-hook={hook}" for hook in hooks(text, arguments[0])), release],
        check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

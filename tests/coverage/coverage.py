"""What no test reaches, by file: lines and branches, from the counters of a coverage build.

    -m tests.coverage.coverage FOLDER    the build's folder, after its programs have run

A branch is one way out of a decision. Fails where a file has less than 95 % of its lines or 90 % of
its branches, and where a source has no counters at all. The branches of EXCUSED do not count; an
excuse that nothing needs any more fails, too.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
LINES, BRANCHES = 95, 90
SOURCES = ("common", "0?_*")
EXCUSED = {  # file -> (what the line holds, why no test takes all of its branches)
    "03_libevent_raw/timers.h": [
        ("&& start(c, linger_)", "event_add fails only without memory"),
        ("&& start(c, last_look_)", "event_add fails only without memory")],
    "04_bufferevent_http/evhttp_server.cc": [
        ("if (bev == nullptr) return nullptr;", "it fails only without memory")],
    "04_bufferevent_http/upper_rpc.cc": [
        ("return evbuffer_remove(", "the line before has asked whether there is so much"),
        ("UpperRequest_free(", "the framework frees no null pointer"),
        ("UpperReply_free(", "the framework frees no null pointer")],
    "common/process.cc": [
        ("if (getrlimit(", "it fails for arguments that are wrong, and these are not")],
    "common/serve.cc": [
        ("const std::string host = ", "the compiler's, for exceptions: this file catches one")],
}


@dataclasses.dataclass
class File:
    name: str
    lines: list[int]  # how often each was reached
    branches: list[int]
    missing: list[str]  # line number, what is missing in it, its text
    needless: list[str] = dataclasses.field(default_factory=list)  # excuses

    def too_low(self) -> bool:
        return share(self.lines) < LINES or share(self.branches) < BRANCHES


def share(counts: list[int]) -> float:
    """Per cent that were reached; 100 of nothing."""
    return 100 * sum(count > 0 for count in counts) / len(counts) if counts else 100.0


def read(report: dict, root: pathlib.Path, excused=None) -> list[File]:
    """gcovr's report in JSON."""
    files = []
    for entry in report["files"]:
        text = (root / entry["file"]).read_text(encoding="utf-8").split("\n")
        file = File(entry["file"], [], [], [])
        excuses = dict((EXCUSED if excused is None else excused).get(file.name, []))
        for line in entry["lines"]:
            if line.get("gcovr/noncode") or line.get("gcovr/excluded"):
                continue
            number, count = line["line_number"], line["count"]
            code = text[number - 1].strip()
            branches = [b["count"] for b in line["branches"] if not b.get("throw")]
            file.lines.append(count)
            why = [excuses.pop(part) for part in list(excuses) if part in code and 0 in branches]
            file.branches += [] if why else branches
            if count == 0:
                file.missing.append(f"{number:5d}  never reached: {code}")
            elif left := branches.count(0):
                excuse = f" ({why[0]})" if why else ""
                file.missing.append(
                    f"{number:5d}  {left} of {len(branches)} branches not taken{excuse}: {code}")
        file.needless = list(excuses)
        files.append(file)
    return files


def table(files: list[File]) -> str:
    rows = [f"{'':40s}{'lines':>8s}{'branches':>10s}"]
    for file in files:
        mark = "  TOO LOW" if file.too_low() else ""
        rows.append(f"{file.name:40s}{share(file.lines):7.1f}%{share(file.branches):9.1f}%{mark}")
    return "\n".join(rows)


def without_counters(files: list[File], root: pathlib.Path) -> list[str]:
    seen = {file.name for file in files}
    sources = {str(p.relative_to(root)) for folder in SOURCES for p in root.glob(f"{folder}/*.cc")}
    return sorted(sources - seen)


def gcovr(folder: pathlib.Path) -> dict:
    command = ["gcovr", "--root", ROOT, "--json", "-", "--exclude-throw-branches",
               "--exclude-unreachable-branches", "--filter", "common/", "--filter", "0[1-4]_",
               folder / "obj"]
    return json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout)


def report_on(files: list[File], root: pathlib.Path) -> int:
    for file in files:
        if file.missing:
            print(file.name, *file.missing, sep="\n")
    print(table(files))
    unseen = without_counters(files, root)
    for name in unseen:
        print(f"{name}: no counters; is it compiled, and does a test run it?")
    needless = [f"{file.name}: {part}" for file in files for part in file.needless]
    for excuse in needless:
        print(f"{excuse!r} is excused, and need not be")
    low = [file.name for file in files if file.too_low()]
    print(f"coverage: {len(files)} files, {len(low)} below {LINES} % of lines or {BRANCHES} % of "
          "branches")
    return 1 if low or unseen or needless or not files else 0


if __name__ == "__main__":
    sys.exit(report_on(read(gcovr(pathlib.Path(sys.argv[1]).resolve()), ROOT), ROOT))

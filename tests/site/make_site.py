"""The site: README and notes as they lie in the tree, made into pages by mkdocs.

    -m tests.site.make_site build           writes build/site
    -m tests.site.make_site serve [PORT]    shows it on 127.0.0.1

The notes link to source files; here each of these becomes a page with a line anchor per line. One
page is made from the code alone: the four stages' functions of the same name, side by side.
"""

from __future__ import annotations

import functools
import hashlib
import html
import http.server
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile

from tests import harness
from tests.compare import functions
from tests.lib.words import Said, say
from tests.notes import notes
from tests.site import hooks

HERE = pathlib.Path(__file__).resolve().parent
ROOT = harness.ROOT
BUILD = ROOT / "build"
SOURCE, SITE = BUILD / "site-src", BUILD / "site"
PLAYER = BUILD / "player" / "index.html"
# The theme speaks the interface of Mermaid 8.
MERMAID = "mermaid@8.14.0"
MERMAID_SHA256 = "ef04f7e13234a4405e105a22e33faf86e49d74687abd44cc59da89d920deda38"

FENCE = re.compile(r"^\s*(```+|~~~+)")
LINK = re.compile(r"(\]\()([^)\s#]+)(#[^)\s]*)?(\))")
# The end of a line is a space, but not where Chinese goes on.
NO_SPACE = re.compile(r"[，。、：；？！）》”]\n(?!\d+\. |[-*+] |[#|<>\s])."
                      r"|[一-鿿]\n[一-鿿“（《]")


# ---- Mermaid -------------------------------------------------------------------------------------

def mermaid() -> pathlib.Path | None:
    """The library, fetched once by npm; None where that cannot be: then diagrams stay text."""
    kept = BUILD / "site-cache" / "mermaid.min.js"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="mermaid-") as folder:
            try:
                subprocess.run(["npm", "pack", "--silent", MERMAID], cwd=folder, check=True,
                               capture_output=True, timeout=120)
                with tarfile.open(next(pathlib.Path(folder).glob("*.tgz"))) as package:
                    content = package.extractfile("package/dist/mermaid.min.js").read()
            except (OSError, subprocess.SubprocessError) as why:
                print(f"diagrams are shown as text: no {MERMAID} ({why})", file=sys.stderr)
                return None
        if hashlib.sha256(content).hexdigest() != MERMAID_SHA256:
            sys.exit(f"{MERMAID} is not the file that was tried")
        kept.write_bytes(content)
    return kept


# ---- pages ---------------------------------------------------------------------------------------

def page_of(path: str) -> str:
    """Where the page of a file or folder of the tree lies under site-src."""
    if path in notes.TOP:
        return "index.md" if path == notes.TOP[0] else "zh/index.md"
    if path.startswith("notes/") and path.endswith(".md"):
        return path
    shown = "src/" + re.sub(r"(^|/)\.", r"\1dot-", path)  # mkdocs leaves out hidden files
    return f"{shown}.md" if (ROOT / path).is_file() else f"{shown}/index.md"


def outside_fences(text: str):
    """(line, is code) for each line; an empty line is put behind each block of code, or mkdocs
    would take what follows for the same paragraph."""
    fence = ""
    for line in text.splitlines():
        mark = FENCE.match(line)
        yield line, bool(fence or mark)
        if mark and not fence:
            fence = mark[1]
        elif fence and line.strip() == fence:
            fence = ""
            yield "", False


class Pages:
    """Follows the links from the notes to whatever in the tree they name."""

    def __init__(self, with_mermaid: bool):
        self.with_mermaid = with_mermaid
        self.done: set[str] = set()
        self.todo = [*(name for name in notes.TOP if (ROOT / name).exists()),
                     *sorted(str(p.relative_to(ROOT)) for p in (ROOT / "notes").glob("**/*.md"))]

    def write_all(self) -> None:
        while self.todo:
            path = self.todo.pop(0)
            if path in self.done:
                continue
            self.done.add(path)
            target = SOURCE / page_of(path)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(self.content(path), encoding="utf-8")

    def content(self, path: str) -> str:
        file = ROOT / path
        if file.is_dir():
            return self.listing(path)
        text = file.read_text(encoding="utf-8")
        return self.note(path, text) if path.endswith(".md") else source_page(path, text)

    def link(self, path: str, target: str, anchor: str = "") -> str:
        """From the page of `path` to the page of `target`, a path relative to the root. What is
        a step of the player's to a note is the player here, at that step."""
        here = os.path.dirname(page_of(path))
        if anchor.startswith("#conv=") and PLAYER.exists():
            return os.path.relpath("player/index.html", here or ".") + anchor
        self.todo.append(target)
        return os.path.relpath(page_of(target), here or ".") + anchor

    def note(self, path: str, text: str) -> str:
        text = re.sub(r"<details>", "<details markdown>", text)
        if self.with_mermaid:
            text = re.sub(r"^```mermaid\n.*?^```$",
                          r'<div class="diagram" markdown>\n\g<0>\n</div>', text, flags=re.M | re.S)
        else:
            text = text.replace("```mermaid", "```text")

        def rewrite(match: re.Match) -> str:
            target = os.path.normpath(os.path.join(os.path.dirname(path), match[2]))
            if ":" in match[2] or target.startswith("..") or not (ROOT / target).exists():
                return match[0]  # to elsewhere; or wrong, and then mkdocs says so
            return match[1] + self.link(path, target, match[3] or "") + match[4]

        lines = []
        for line, code in outside_fences(text):
            if not code and re.fullmatch(r"\s*<!--.*-->\s*", line):
                continue  # what the notes' own program reads
            if not code and notes.OTHER_LANGUAGE.match(line):
                line += "{ .translation }"
            if not code and lines and NO_SPACE.match(f"{lines[-1][-1:]}\n{line}"):
                lines[-1] += LINK.sub(rewrite, line)
            else:
                lines.append(line if code else LINK.sub(rewrite, line))
        return "\n".join(lines).strip() + "\n"

    def listing(self, path: str) -> str:
        names = sorted(p.name for p in (ROOT / path).iterdir()
                       if not p.name.startswith((".", "__")) and p.is_file())
        folder = pathlib.PurePosixPath(path)
        items = [f"- [`{name}`]({self.link(path, str(folder / name))})" for name in names]
        return "\n".join([f"# `{path}/`", "", *items, ""])


def source_page(path: str, text: str) -> str:
    """The file with an anchor per line: #L43, as on a code host."""
    import pygments
    import pygments.formatters
    import pygments.lexers
    try:
        lexer = pygments.lexers.get_lexer_for_filename(path, stripnl=False)
    except pygments.util.ClassNotFound:
        lexer = pygments.lexers.TextLexer(stripnl=False)
    marked = pygments.highlight(text, lexer, pygments.formatters.HtmlFormatter(nowrap=True))
    lines = "".join(f'<span id="L{n}" data-n="{n}">{line or " "}\n</span>'
                    for n, line in enumerate(marked.rstrip("\n").split("\n"), 1))
    return (f"---\ntitle: {path}\n---\n\n# `{path}`\n\n"
            f'<div class="highlight source"><pre><code><span class="lines">{lines}</span>'
            "</code></pre></div>\n")


# ---- the four stages side by side ----------------------------------------------------------------

def names_in_order(stages: list[dict[str, list[str]]]) -> list[str]:
    """The first stage's order; what only a later one has comes where it stands there."""
    names: list[str] = []
    for units in stages:
        at = 0
        for name in units:
            if name not in names:
                names.insert(at, name)
            at = names.index(name) + 1
    names.remove(functions.PROTOTYPES)
    return names


def label_of(stage: str) -> str:
    return stage.replace("_", " ")


def twins(bodies: dict[str, list[str]]) -> dict[str, str]:
    """For each stage the first one whose code is the same to the letter."""
    return {stage: next(s for s in bodies if bodies[s] == body) for stage, body in bodies.items()}


def verdict(bodies: dict[str, list[str]]) -> list[Said]:
    groups: dict[str, list[str]] = {}
    for stage, first in twins(bodies).items():
        groups.setdefault(first, []).append(stage[:2])
    equal = [" = ".join(group) for group in groups.values() if len(group) > 1]
    missing = [stage[:2] for stage in harness.STAGES if stage not in bodies]
    if len(bodies) == 1:
        return [say("Only in {stage}.", stage=next(iter(bodies))[:2])]
    said = [say("Equal to the letter: {stages}.", stages=", ".join(equal)) if equal
            else say("Different in each.")]
    return said + [say("Not in {stages}.", stages=", ".join(missing))] * bool(missing)


def tab(stage: str, first: str, body: list[str], up: str) -> str:
    source = functions.source_of(stage)
    start = next((i for i in range(len(source)) if source[i:i + len(body)] == body), None)
    where = f"{stage}/server.cc"
    lines = "" if start is None else f"#L{start + 1}-L{start + len(body)}"
    label = label_of(stage) + (f" (= {first[:2]})" if first != stage else "")
    code = "\n".join(["```cpp", *body, "```", "", f"[`{where}{lines}`]({up}src/{where}.md{lines})"])
    return f'=== "{label}"\n\n' + "\n".join(f"    {line}".rstrip() for line in code.split("\n"))


def stages_page(chinese: bool) -> str:
    tell, up = (lambda said: said.zh, "../") if chinese else (str, "")
    units = {stage: functions.units(functions.source_of(stage)) for stage in harness.STAGES}
    other = "[English](../stages.md)" if chinese else "[中文](zh/stages.md)"
    parts = [f"---\nhide: [navigation]\n---\n\n# {tell(say('Side by side'))}",
             other + "{ .translation }",
             tell(say("Every function of the four `server.cc`, in the order of the file. A stage "
                      "chosen in one row of tabs is chosen in all of them."))]
    for name in names_in_order(list(units.values())):
        bodies = {stage: found[name] for stage, found in units.items() if name in found}
        title = tell(say("Header and includes")) if name == functions.HEAD else f"`{name}`"
        parts += [f"## {title}", " ".join(map(tell, verdict(bodies)))]
        parts += [tab(stage, first, bodies[stage], up) for stage, first in twins(bodies).items()]
    return "\n\n".join(parts) + "\n"


# ---- build ---------------------------------------------------------------------------------------

def notes_in(folder: str) -> list[str]:
    """In the order of the course; what that does not name comes last."""
    order = ["README.md", *notes.course(ROOT)]
    pages = sorted((ROOT / folder).glob("*.md"), key=lambda p: (
        order.index(p.name) if p.name in order else len(order), p.name))
    return [str(p.relative_to(ROOT)) for p in pages]


def configuration() -> dict:
    player = ["player/index.html"] if PLAYER.exists() else []  # it speaks both languages
    chinese = [{"实验课": "zh/index.md"}, {"课程": notes_in("notes/zh")},
               {"动手实验": notes_in("notes/zh/lab")}, {"逐个对照": "zh/stages.md"},
               *({"播放器": page} for page in player)]
    return {"INHERIT": str(HERE / "mkdocs.yml"), "docs_dir": str(SOURCE), "site_dir": str(SITE),
            "theme": {"custom_dir": str(HERE / "theme")}, "hooks": [str(HERE / "hooks.py")],
            "nav": [{"The lab": "index.md"}, {"Course": notes_in("notes")},
                    {"Build it": notes_in("notes/lab")},
                    {"Side by side": "stages.md"},
                    *({"See it move": page} for page in player),
                    {"Sources": ["src/index.md",
                                 *(f"src/{s}/server.cc.md" for s in harness.STAGES)]},
                    {"中文": chinese}]}


def sources_page(pages: Pages) -> str:
    folders = (*harness.STAGES, "common")
    for folder in folders:
        pages.todo.append(folder)
    pages.write_all()
    listed = sorted(p for p in pages.done if page_of(p).startswith("src/") and (ROOT / p).is_file())
    items = [f"- [`{html.escape(p)}`]({os.path.relpath(page_of(p), 'src')})" for p in listed]
    return "\n".join(["# Sources", "", "What the notes link to, and the stages.", "", *items, ""])


def finish() -> None:
    """What mkdocs cannot be told: source files are not searched, and the languages apart. Chinese
    pages find English ones that have no Chinese edition, too."""
    index = SITE / "search" / "search_index.json"
    found = json.loads(index.read_text(encoding="utf-8"))
    pages = {doc["location"].partition("#")[0] for doc in found["docs"]}
    translated = {page.replace("zh/", "", 1) for page in pages if hooks.chinese(page)}
    english, chinese = [], []
    for doc in found["docs"]:
        page = doc["location"].partition("#")[0]
        if hooks.chinese(page):
            chinese.append(doc)
        elif not page.startswith("src/"):
            english.append(doc)
            if page not in translated:
                chinese.append(doc)
    for name, docs in (("search_index", english), ("zh", chinese)):
        text = json.dumps(found | {"docs": docs}, ensure_ascii=False)
        index.with_stem(name).write_text(text, encoding="utf-8")


def build() -> int:
    library = mermaid()
    shutil.rmtree(SOURCE, ignore_errors=True)
    pages = Pages(with_mermaid=library is not None)
    pages.write_all()
    (SOURCE / "src" / "index.md").write_text(sources_page(pages), encoding="utf-8")
    for chinese, name in ((False, "stages.md"), (True, "zh/stages.md")):
        (SOURCE / name).write_text(stages_page(chinese), encoding="utf-8")
    (SOURCE / "assets").mkdir()
    for asset in (HERE / "site.css", HERE / "site.js", library):
        if asset:
            shutil.copy(asset, SOURCE / "assets")
    if PLAYER.exists():
        (SOURCE / "player").mkdir()
        shutil.copy(PLAYER, SOURCE / "player")
    config = BUILD / "site-mkdocs.yml"
    config.write_text(json.dumps(configuration(), indent=1, ensure_ascii=False), encoding="utf-8")
    done = subprocess.run([sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-f",
                           str(config)], check=False)
    if done.returncode == 0:
        finish()
        print(f"{SITE.relative_to(ROOT)}/index.html; `make serve-site` shows it")
    return done.returncode


class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_) -> None:
        pass


def server(port: int = 0) -> http.server.ThreadingHTTPServer:
    handler = functools.partial(Handler, directory=str(SITE))
    return http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["build"]:
        return build()
    if arguments[:1] == ["serve"]:
        with server(int(arguments[1]) if arguments[1:] else 8000) as served:
            print(f"http://127.0.0.1:{served.server_port}/ (Ctrl-C ends it)", flush=True)
            try:
                served.serve_forever()
            except KeyboardInterrupt:
                return 0
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

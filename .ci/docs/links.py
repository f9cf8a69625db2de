"""For mkdocs: what pages link to outside docs/ becomes part of the site, and so does rustdoc.

A link from `docs/` to a file of the repository (`../SECURITY.md`, `../bench/record/…/small.svg`) works where the
repository is read. Here Markdown becomes a page below `repository/`, and any other file is copied there. A link to what
does not exist stays as it is, and strict mode fails on it; one to a folder without a README is left out.
"""

import posixpath
import re
import shutil
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
RUSTDOC = ROOT / "target" / "rustdoc" / "doc"
HERE, THERE = "docs", "repository"
FOLDER = re.compile(r"\[([^\]]+)\]\(([^)#:\s]+)\)")
LINK = re.compile(r"(\]\(|\]:\s+|(?:src|href)=\")(?!#|[a-z]+:)([^)#\s\"]+)")


def place(source: str) -> str:
    """The place in the site of a file of the repository."""
    inside = source.startswith(f"{HERE}/")
    return source.removeprefix(f"{HERE}/") if inside else f"{THERE}/{source}"


def source_of(page: File) -> str:
    inside = page.src_uri.startswith(f"{THERE}/")
    return page.src_uri.removeprefix(f"{THERE}/") if inside else f"{HERE}/{page.src_uri}"


def target(source: str, link: str) -> str | None:
    """The file of the repository that a page links to."""
    path = posixpath.normpath(posixpath.join(posixpath.dirname(source), link))
    if path.startswith("..") or not (ROOT / path).exists():
        return None
    # Of a folder, what is shown of it where the repository is read.
    return posixpath.join(path, "README.md") if (ROOT / path / "README.md").exists() else path


def on_files(files: Files, config: MkDocsConfig) -> Files:
    waiting = [source_of(page) for page in files.documentation_pages()]
    seen = set(waiting)
    while waiting:
        source = waiting.pop()
        for _, link in LINK.findall((ROOT / source).read_text(encoding="utf-8")):
            path = target(source, link)
            if path is None or path in seen or not (ROOT / path).is_file():
                continue
            seen.add(path)
            if not path.startswith(f"{HERE}/"):
                files.append(File.generated(config, place(path), abs_src_path=str(ROOT / path)))
                if path.endswith(".md"):
                    waiting.append(path)
    # The rest of it is copied; these are what pages link to.
    for path in RUSTDOC.rglob("*.html"):
        inside = path.relative_to(RUSTDOC).as_posix()
        files.append(File.generated(config, f"rust/{inside}", abs_src_path=str(path)))
    return files


def on_post_build(config: MkDocsConfig) -> None:
    shutil.copytree(RUSTDOC, Path(config.site_dir, "rust"), dirs_exist_ok=True)


def shown(block: re.Match[str]) -> str:
    """A block of Rust as rustdoc shows it: without the lines that only its test needs."""
    return "```rust\n" + "".join(line for line in block[1].splitlines(True) if not re.match("#( |$)", line)) + "```"


def on_page_markdown(markdown: str, page: Page, **kwargs: Any) -> str:
    source = source_of(page.file)
    markdown = re.sub(r"^```rust[\w,]*\n(.*?)^```$", shown, markdown, flags=re.MULTILINE | re.DOTALL)

    def moved(match: re.Match[str]) -> str:
        path = target(source, match[2])
        if path is None:
            return match[0]
        return match[1] + posixpath.relpath(place(path), posixpath.dirname(page.file.src_uri))

    def without_folder(match: re.Match[str]) -> str:
        path = target(source, match[2])
        return match[1] if path and (ROOT / path).is_dir() else match[0]

    return LINK.sub(moved, FOLDER.sub(without_folder, markdown))

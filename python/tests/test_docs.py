"""The README, the pages of docs/ and the examples keep their word: they run.

A block of Python runs as a script in an empty folder of its own. `<!-- goes on -->` before a block says that it goes on
where the block before it ended: both are one script, in that folder. A block of `sh` is run by bash in such a folder,
except for the commands in `NOT_RUN`. Of a block of `console` each line after `$` is run so, one after the other in the
same folder, and what it prints must be what stands below it, where a line `...` is any number of lines. Rust's blocks
are run by `cargo test --doc`, wherever `lib.rs` includes the page.
"""

import mmap
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import faultless

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]
BLOCK = re.compile(r"^(<!-- goes on -->\n+)?```(\w+)[\w,]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# The tour has a test of its own.
EXAMPLES = [path for path in sorted(ROOT.glob("examples/*.py")) if path.name != "tour.py"]

NOT_RUN = {
    "make": "it builds and tests all of this: whether it knows the target is looked at instead",
    "pip": "it installs, from a registry or a wheel",
    "cargo": "it builds, or adds to somebody's crate",
}


def blocks(language: str) -> list[tuple[Path, str]]:
    """The blocks of a language, with the page that each is on; what goes on is one."""
    found: list[tuple[Path, str]] = []
    for page in PAGES:
        for goes_on, name, text in BLOCK.findall(page.read_text(encoding="utf-8")):
            if name != language:
                continue
            if goes_on:
                assert found and found[-1][0] == page, f"nothing to go on with: {text}"
                text = found.pop()[1] + "\n" + text
            found.append((page, text))
    return found


def names(some: list[tuple[Path, str]]) -> list[str]:
    return [page.relative_to(ROOT).with_suffix("").as_posix() for page, _ in some]


# The page about failing pages is among the fault tests.
PYTHON = [(page, text) for page, text in blocks("python") if page.name != "faults.md"]
SHELL = blocks("sh")
CONSOLE = blocks("console")
COMMANDS = [(page, line.partition("#")[0].split()) for page, text in SHELL for line in text.splitlines() if line]


def environment() -> dict[str, str]:
    """One in which the programs of these pages are found."""
    paths = [Path(sys.executable).parent, ROOT / "target" / "release", ROOT / "target" / "debug"]
    return {**os.environ, "PATH": os.pathsep.join([*map(str, paths), os.environ["PATH"]])}


def run(command: list[str | Path], folder: Path) -> None:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, encoding="utf-8", check=False, env=environment(), timeout=300
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr + done.stdout


@pytest.mark.parametrize("number", range(len(PYTHON)), ids=names(PYTHON))
def test_python_runs(number: int, tmp_path: Path) -> None:
    script = tmp_path / "block.py"
    script.write_text(PYTHON[number][1], encoding="utf-8")
    run([sys.executable, "-W", "error", script], tmp_path)


@pytest.mark.parametrize("number", range(len(SHELL)), ids=names(SHELL))
def test_shell_runs(number: int, tmp_path: Path) -> None:
    lines = [line for line in SHELL[number][1].splitlines() if line.split(" ")[0] not in NOT_RUN]
    run(["bash", "-euo", "pipefail", "-c", "\n".join(lines)], tmp_path)


@pytest.mark.parametrize("number", range(len(CONSOLE)), ids=names(CONSOLE))
def test_console_prints_what_it_says(number: int, tmp_path: Path) -> None:
    for step in re.split(r"^\$ ", CONSOLE[number][1], flags=re.MULTILINE)[1:]:
        command, _, expected = step.partition("\n")
        done = subprocess.run(
            ["bash", "-uo", "pipefail", "-c", command],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            check=False,
            env=environment(),
            timeout=300,
        )
        lines = ["(?:.*\n)*" if line == "..." else re.escape(line) + "\n" for line in expected.splitlines()]
        assert re.fullmatch("".join(lines), done.stdout), f"{command}\n{done.stdout}"


@pytest.mark.parametrize("target", sorted({words[1] for _, words in COMMANDS if words[0] == "make"}))
def test_make_knows_the_target(target: str) -> None:
    done = subprocess.run(["make", "--dry-run", target], cwd=ROOT, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr


def test_readme_has_the_two_commands() -> None:
    targets = {words[1] for page, words in COMMANDS if page == PAGES[0] and words[0] == "make"}
    assert {"demo", "test"} <= targets


def test_rust_is_run_by_cargo_test() -> None:
    library = ROOT / "crates" / "faultless" / "src" / "lib.rs"
    paths = re.findall(r'include_str!\("(.*?)"', library.read_text(encoding="utf-8"))
    included = {(library.parent / path).resolve() for path in paths}
    assert {page for page, _ in blocks("rust")} <= included


def test_every_language_is_one_that_runs_or_is_data() -> None:
    languages = {name for page in PAGES for _, name, _ in BLOCK.findall(page.read_text(encoding="utf-8"))}
    assert languages <= {"console", "python", "rust", "sh", "toml", "text"}


def test_migrating_tells_of_every_name_of_the_standard_class() -> None:
    page = (ROOT / "docs" / "migrating" / "mmap.md").read_text(encoding="utf-8")
    standard = {name for name in dir(mmap.mmap) if not name.startswith("_")}
    assert standard <= set(re.findall(r"^\| `(\w+)", page, re.MULTILINE))


def test_reference_has_every_name() -> None:
    page = (ROOT / "docs" / "reference" / "python.md").read_text(encoding="utf-8")
    shown = set(re.findall(r"^::: faultless\.(\w+)", page, re.MULTILINE))
    assert set(faultless.__all__) <= shown


@pytest.mark.parametrize("example", EXAMPLES, ids=[path.stem for path in EXAMPLES])
def test_example_runs(example: Path, tmp_path: Path) -> None:
    run([sys.executable, "-W", "error", example], tmp_path)


def test_examples_are_in_the_list() -> None:
    listed = (ROOT / "examples" / "README.md").read_text(encoding="utf-8")
    for path in sorted(ROOT.glob("examples/*.*")):
        assert path.name == "README.md" or f"]({path.name})" in listed

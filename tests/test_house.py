"""The house keeps itself: what can be checked about the repository's own habits."""

from __future__ import annotations

import ast
import re
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("drivers", "rules", "hub", "dashboard", "simulators")
TEXTS = (
    "*.py",
    "*.md",
    "*.toml",
    "*.yaml",
    "*.yml",
    "*.html",
    "*.js",
    "*.css",
    "*.sh",
    "*.service",
    "Makefile",
    "*.lock",
)
FOREIGN_PATH = re.compile(r"(?<![\w.])/(?:work|farm|root)/[a-z]")
INDEX_ADDRESS = re.compile(r"index[-]url|https?://[^\s)]*/simpl[e]/")
UNFINISHED = re.compile(r"\b(?:TODO|FIXME|XXX)\b")


def ours(*patterns: str) -> list[Path]:
    """Every file of ours of these patterns, without the environment, caches and vendored files."""
    found = {path for pattern in patterns for path in ROOT.rglob(pattern)}
    hidden = {".venv", ".cache", ".git", "vendor", "trygghub-data", "node_modules", "dist", "build"}
    return sorted(p for p in found if p.is_file() and not hidden & set(p.relative_to(ROOT).parts))


@pytest.mark.parametrize(
    "pattern", [FOREIGN_PATH, INDEX_ADDRESS, UNFINISHED], ids=["paths", "indexes", "unfinished"]
)
def test_nothing_points_at_a_build_machine_or_at_later(pattern: re.Pattern[str]) -> None:
    """No path of a build machine, no package index and no unfinished mark stands in a file of ours."""
    guilty = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for path in ours(*TEXTS)
        if path != Path(__file__)
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if pattern.search(line)
    ]
    assert not guilty, "\n".join(guilty)


def test_every_test_states_a_fact() -> None:
    """A test's docstring says, as a sentence, what holds."""
    silent = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in ours("test_*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and not ast.get_docstring(node)
    ]
    assert not silent, "\n".join(silent)


def test_no_test_sleeps_for_real() -> None:
    """Tests wait for events or move a clock by hand; they never wait for time to pass."""
    sleep = re.compile(r"\btime\.sleep\(|asyncio\.sleep\((?:0\.[1-9]|[1-9])")
    sleepy = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in ours("*.py")
        if "tests" in path.relative_to(ROOT).parts and path != Path(__file__)
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if sleep.search(line)
    ]
    assert not sleepy, "\n".join(sleepy)


def test_no_test_folder_shadows_a_package() -> None:
    """A folder under tests/ with an `__init__.py` would hide the package of the same name."""
    assert not list((ROOT / "tests").rglob("__init__.py"))


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_explains_itself(package: str) -> None:
    """Someone new finds a README in each package, and its purpose in the docstring of `__init__`."""
    assert (ROOT / package / "README.md").stat().st_size > 500
    source = (ROOT / package / "__init__.py").read_text("utf-8")
    assert ast.get_docstring(ast.parse(source))


def test_decisions_are_short() -> None:
    """A record in DECISIONS.md is at most twenty lines: context, decision, consequences."""
    records = re.split(r"^## ", (ROOT / "DECISIONS.md").read_text("utf-8"), flags=re.MULTILINE)[1:]
    long = [record.splitlines()[0] for record in records if len(record.strip().splitlines()) > 20]
    assert records
    assert not long


def test_the_locks_pin_by_hash_and_name_no_index() -> None:
    """Both lock files pin exact versions with hashes."""
    for name in ("requirements.lock", "requirements-dev.lock"):
        text = (ROOT / name).read_text("utf-8")
        pins = re.findall(r"^[A-Za-z0-9_.\[\]-]+==\S+", text, re.MULTILINE)
        assert len(pins) > 30
        assert text.count("--hash=sha256:") >= len(pins)
        assert "://" not in text


def test_what_is_imported_at_once_is_declared() -> None:
    """A module-level import from outside is of what `make run` installs, not of the tests' environment alone.

    libosdp is an extra: only a bus with OSDP readers imports it, and the modules that do stand below.
    """
    pins = re.findall(r"^([A-Za-z0-9_.-]+)==", (ROOT / "requirements.lock").read_text("utf-8"), re.MULTILINE)
    names = {one.lower().replace("_", "-") for one in pins}
    origin = packages_distributions()
    undeclared = sorted(
        f"{path.relative_to(ROOT)} imports {module}"
        for package in PACKAGES
        for path in ours("*.py")
        if path.relative_to(ROOT).parts[0] == package and path.stem not in WITH_OSDP
        for module in _imported(path)
        if module in origin and not names & {one.lower().replace("_", "-") for one in origin[module]}
    )
    assert not undeclared, "\n".join(undeclared)


WITH_OSDP = {"osdp_bus"}


def _imported(path: Path) -> set[str]:
    """The first words of all imports at the top level of a module."""
    found: set[str] = set()
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.Import):
            found |= {name.name.partition(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found - set(PACKAGES)

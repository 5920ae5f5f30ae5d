"""Debian packages: which ones a layer needs, fetching them, reading them. apt works on a package
state of our own, so the host's is neither read nor changed; the package sources are those the host
has configured."""

import hashlib
import json
import os
import re
import subprocess
import tempfile
import urllib.parse
from dataclasses import asdict, dataclass
from pathlib import Path

from common import ImageError, megabytes, run, say

APT_LISTS = Path("/var/lib/apt/lists")
APT_CONFIG = Path("/etc/apt")


@dataclass(frozen=True)
class Package:
    name: str
    version: str
    file: str  # name in the cache
    size: int
    sha256: str  # empty where the source lists none


class Packages:
    """The packages of the host's sources, and a cache of those fetched so far."""

    def __init__(self, cache):
        self.archives = cache / "packages"
        self.resolved = cache / "resolved"
        (self.archives / "partial").mkdir(parents=True, exist_ok=True)
        self.resolved.mkdir(exist_ok=True)
        self.architecture = run(["dpkg", "--print-architecture"], "ask dpkg for the architecture")
        self.architecture = self.architecture.decode().strip()
        self.is_updated = False

    def resolve(self, names, without):
        """Packages `names` and their needs, less those in `without` and what only these need."""
        if not names:
            return []
        state = [program_digest(), self.architecture, _sources_state()]
        key = json.dumps([sorted(names), sorted(without), *state])
        known = self.resolved / (hashlib.sha256(key.encode()).hexdigest() + ".json")
        if known.exists():
            return [Package(**entry) for entry in json.loads(known.read_text())]
        say(f"resolving {' '.join(names)}")
        try:
            # An archive directory of its own: apt leaves out what it finds there.
            with tempfile.TemporaryDirectory() as empty:
                output = self._apt(names, without, ["--print-uris"], empty, "resolve packages")
        except ImageError:
            if not self._update():
                raise
            return self.resolve(names, without)
        packages = [
            _parse_uri_line(line) for line in output.decode().splitlines() if line[:1] == "'"
        ]
        absent = set(names) - {package.name for package in packages}
        if absent:
            raise ImageError(f"resolve packages: apt left out {' '.join(sorted(absent))}")
        packages.sort(key=lambda package: package.name)
        write_atomically(known, json.dumps([asdict(package) for package in packages]).encode())
        return packages

    def fetch(self, names, without):
        """Like resolve, with all of the packages in the cache afterwards."""
        packages = self.resolve(names, without)
        missing = [package for package in packages if not self._is_fetched(package)]
        if not missing:
            return packages
        size = megabytes(sum(package.size for package in missing))
        say(f"fetching {len(missing)} packages, {size}")
        try:
            self._apt(names, without, ["--download-only"], self.archives, "fetch packages")
        except ImageError:
            if not self._update():  # old lists name packages that the sources have replaced since
                raise
            return self.fetch(names, without)
        absent = [package.file for package in packages if not self._is_fetched(package)]
        if absent:
            raise ImageError(f"fetch packages: apt left out {' '.join(absent)}")
        return packages

    def open(self, package):
        """The running program that writes the package's files as a tar to its stdout."""
        path = self.archives / package.file
        if package.sha256 and hashlib.sha256(path.read_bytes()).hexdigest() != package.sha256:
            path.unlink()
            raise ImageError(
                f"package {package.file}: its content does not match its digest;"
                " removed from the cache, try again"
            )
        return subprocess.Popen(["dpkg-deb", "--fsys-tarfile", path], stdout=subprocess.PIPE)

    def control(self, package):
        """The package's own description, as dpkg keeps it."""
        path = self.archives / package.file
        return run(["dpkg-deb", "--field", path], f"read package {package.file}")

    def _is_fetched(self, package):
        path = self.archives / package.file
        return path.exists() and path.stat().st_size == package.size

    def _apt(self, names, without, arguments, archives, doing):
        with tempfile.TemporaryDirectory() as scratch:
            status = Path(scratch) / "status"
            status.write_text("".join(map(self._installed, sorted(without))))
            options = {
                "Dir::State::status": status,
                "Dir::State::extended_states": f"{scratch}/extended_states",
                "Dir::Cache::archives": archives,
                "Acquire::ForceHash": "SHA256",
                "APT::Install-Recommends": "false",
                "APT::Install-Suggests": "false",
                "APT::Sandbox::User": "root",
                "Debug::NoLocking": "true",
            }
            command = ["apt-get", "install", "-y", "-qq", *arguments]
            for name, value in options.items():
                command += ["-o", f"{name}={value}"]
            return run(command + list(names), doing, env=_apt_environment())

    def _installed(self, name):
        """A package that counts as there, so that apt leaves it and what it needs out."""
        return (
            f"Package: {name}\nStatus: install ok installed\nArchitecture: {self.architecture}\n"
            "Multi-Arch: foreign\nVersion: 9999\nMaintainer: none\nDescription: taken as there\n\n"
        )

    def _update(self):
        """Fetches the package lists, once. False when that was done already."""
        if self.is_updated:
            return False
        self.is_updated = True
        say("fetching package lists")
        run(["apt-get", "update", "-q"], "fetch package lists", env=_apt_environment())
        return True


def program_digest():
    """Part of every cache key: changes with this program. Recipes enter the keys by themselves."""
    here = Path(__file__).parent
    sources = [path.read_bytes() for path in sorted(here.glob("*.py")) if path.name != "recipes.py"]
    return hashlib.sha256(b"\0".join(sources)).hexdigest()


def write_atomically(path, content):
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_bytes(content)
    partial.rename(path)


def _apt_environment():
    return {**os.environ, "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}


def _sources_state():
    """Changes when apt could come to another answer: new lists, other sources or preferences."""
    state = []
    for top in (APT_LISTS, APT_CONFIG):
        for directory, _, files in os.walk(top):
            for name in files:
                path = Path(directory) / name
                if name != "lock" and path.exists():
                    status = path.stat()
                    state.append([str(path), status.st_size, status.st_mtime_ns])
    return sorted(state)


def _parse_uri_line(line):
    match = re.fullmatch(r"'[^']+' (\S+) (\d+) ?(\S*)", line)
    parts = match and match[1].removesuffix(".deb").split("_")
    if not match or len(parts) != 3:
        raise ImageError(f"resolve packages: apt printed what is not understood: {line}")
    sha256 = match[3].removeprefix("SHA256:") if match[3].startswith("SHA256:") else ""
    return Package(parts[0], urllib.parse.unquote(parts[1]), match[1], int(match[2]), sha256)

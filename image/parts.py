"""What the image is made of: which Debian packages, down to the byte. For image/lock and image/build, in the workshop.

    python3 image/parts.py lock ARCH       the lock file of a kind of machine, resolved anew; to stderr what changed
    python3 image/parts.py fetch ARCH      every package of its lock file into the cache, debs/SHA256.deb

Nothing here says where Debian is: apt's own list in the workshop does.
"""
from __future__ import annotations

import gzip
import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import unquote

IMAGE = Path(__file__).resolve().parent
CACHE = Path("/var/cache/deskbell")
SOURCES = Path("/etc/apt/sources.list")
LINE = re.compile(r"((?:pypi:)?[a-z0-9][a-z0-9+._-]+)=(\S+) ([0-9a-f]{64})")
MACHINES = {"arm64": "aarch64", "amd64": "x86_64"}
HEAD = "# Debian forky for {arch}, as of {day}. Made by image/lock --arch {arch}; nothing here is written by hand.\n"
DAY = re.compile(r"as of (\d{4}-\d\d-\d\d)\.")
LACKING = 3                                # exit: the mirror has no longer what the lock names
ESSENTIAL = "?and(?essential,?not(?exact-name(apt)))"      # apt calls itself essential; a box never installs anything


@dataclass(frozen=True)
class Locked:
    """One .deb of the image, or with a name "pypi:…" one wheel. sha256 is of the whole file."""
    name: str
    version: str
    sha256: str


def read(text: str) -> list[Locked]:
    """The packages of a lock file. Raises ValueError for a line that is neither a package nor a remark."""
    found = []
    for line in text.splitlines():
        if line.startswith("#") or not line:
            continue
        match = LINE.fullmatch(line)
        if not match:
            raise ValueError(f"This is no line of a lock file: {line}")
        found.append(Locked(*match.groups()))
    return found


def written(arch: str, day: str, packages: list[Locked]) -> str:
    return HEAD.format(arch=arch, day=day) + "".join(
        f"{one.name}={one.version} {one.sha256}\n" for one in sorted(packages, key=lambda one: one.name))


def wanted(arch: str) -> list[str]:
    """The names of packages.txt and image-packages.txt that this kind of machine has."""
    names: list[str] = []
    for file in ("packages.txt", "image-packages.txt"):
        part = ""
        for line in (IMAGE / file).read_text("utf-8").splitlines():
            line = line.partition("#")[0].strip()
            if line.startswith("["):
                part = line.strip("[]")
            elif part in ("", arch):
                names += line.split()
    return names


def pins(text: str) -> dict[tuple[str, str], list[str]]:
    """(name, version) to the sha256 digests that a requirements file allows."""
    found = {}
    for entry in re.sub(r"\\\n", " ", text).splitlines():
        match = re.match(r"([A-Za-z0-9._-]+)==(\S+)", entry)
        if match:
            found[match[1].lower(), match[2]] = re.findall(r"--hash=sha256:([0-9a-f]{64})", entry)
    return found


def wheels(arch: str, folder: Path) -> list[Locked]:
    """The wheel of each requirement that this kind of machine takes, of those in a folder. Raises OSError without."""
    kept = {hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.glob("*.whl")
            if file.name.endswith("-any.whl") or MACHINES[arch] in file.name}
    found = []
    for (name, version), digests in pins((IMAGE / "requirements.txt").read_text("utf-8")).items():
        fitting = sorted(kept.intersection(digests))
        if not fitting:
            raise OSError(f"No wheel of {name} {version} for {arch} is in the cache.")
        found.append(Locked(f"pypi:{name}", version, fitting[0]))
    return found


class Archive:
    """Debian's packages of one kind of machine, by apt with folders of its own: nothing of the workshop counts."""

    def __init__(self, arch: str, cache: Path, sources: Path) -> None:
        at = cache / "image" / f"apt-{arch}"
        for folder in ("lists/partial", "cache/archives/partial"):
            (at / folder).mkdir(parents=True, exist_ok=True)
        (at / "status").write_text("")
        listed = sources.read_text("utf-8")
        keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
        (at / "sources.list").write_text(re.sub(r"(?m)^deb (?:\[[^]]*\] )?(.*) main$",
                                                rf"deb [signed-by={keyring}] \1 main non-free-firmware", listed))
        (at / "apt.conf").write_text(f"""#clear APT::Architectures;
            APT {{ Architecture "{arch}"; Architectures {{ "{arch}"; }}; }};
            APT {{ Install-Recommends "false"; Sandbox::User "root"; }};
            Dir {{ State {{ Lists "{at}/lists"; status "{at}/status"; }}; Cache "{at}/cache"; }};
            Dir::Etc {{ SourceList "{at}/sources.list"; SourceParts "/dev/null"; PreferencesParts "/dev/null"; }};
            Acquire {{ Check-Valid-Until "false"; Languages "none"; ForceHash "SHA256"; }};
            Acquire {{ Retries "2"; http::Timeout "20"; }};
            """)
        self.lists = at / "lists"
        self.debs = cache / "debs"
        self.environment = {**os.environ, "APT_CONFIG": str(at / "apt.conf"), "LC_ALL": "C.UTF-8"}

    def run(self, *command: str) -> str:
        """What a command of apt printed. Raises OSError with its last words."""
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise OSError((done.stderr or done.stdout).strip()[-2000:])
        return done.stdout

    def renew(self) -> None:
        self.run("apt-get", "-qq", "update")

    def day(self) -> str:
        """The day the archive says it is of, UTC: that of its newest Release file."""
        dates = [line.removeprefix("Date: ") for file in self.lists.glob("*InRelease")
                 for line in file.read_text("utf-8", "replace").splitlines() if line.startswith("Date: ")]
        return max(parsedate_to_datetime(date) for date in dates).date().isoformat()

    def resolved(self, names: list[str]) -> dict[Locked, str]:
        """Every package an empty machine gets when it asks for these and for the essential ones, and its address."""
        told = self.run("apt-get", "-qq", "--print-uris", "install", ESSENTIAL, *names)
        found = {}
        for line in told.splitlines():
            match = re.fullmatch(r"'([^']+)' ([^_ ]+)_([^_ ]+)_\S+ \d+ SHA256:([0-9a-f]{64})", line)
            if not match:
                raise OSError(f"apt says something unknown: {line}")
            found[Locked(match[2], unquote(match[3]), match[4])] = match[1]
        return found

    def addresses(self) -> dict[str, str]:
        """Where each .deb is that the archive has now, by sha256."""
        targets = self.run("apt-get", "indextargets", "--format", "$(REPO_URI) $(FILENAME)", "Created-By: Packages")
        found = {}
        for line in targets.splitlines():
            base, file = line.split(" ", 1)
            for stanza in self.run("/usr/lib/apt/apt-helper", "cat-file", file).split("\n\n"):
                fields = dict(re.findall(r"(?m)^(Filename|SHA256): (.*)$", stanza))
                if "SHA256" in fields:
                    found[fields["SHA256"]] = f"{base.rstrip('/')}/{fields['Filename']}"
        return found

    def download(self, addresses: dict[str, str]) -> None:
        """Brings .debs, by sha256, into the cache; apt checks each."""
        folder = self.debs
        folder.mkdir(exist_ok=True)
        todo = sorted(addresses.items())
        for start in range(0, len(todo), 40):
            asked: list[str] = []
            for sha256, address in todo[start:start + 40]:
                asked += [address, str(folder / f"{sha256}.new"), f"SHA256:{sha256}"]
            self.run("/usr/lib/apt/apt-helper", "-q", "download-file", *asked)
            for sha256, _ in todo[start:start + 40]:
                (folder / f"{sha256}.new").rename(folder / f"{sha256}.deb")
            print(f"  {min(start + 40, len(todo))} of {len(todo)} packages fetched", file=sys.stderr, flush=True)


def lacking(packages: list[Locked], kept: set[str]) -> list[Locked]:
    return [one for one in packages if one.sha256 not in kept]


def in_cache(cache: Path) -> set[str]:
    return {file.stem for file in (cache / "debs").glob("*.deb")}


def changes(old: list[Locked], new: list[Locked]) -> Iterator[tuple[str, str, str]]:
    """(name, version before, version now) of each package that differs; "" where there is none."""
    before, now = {one.name: one for one in old}, {one.name: one for one in new}
    for name in sorted(before.keys() | now.keys()):
        was, has = before.get(name), now.get(name)
        if was != has:
            yield name, was.version if was else "", has.version if has else ""


def holes_closed(changelog: str, since: str) -> list[str]:
    """The CVE numbers a Debian changelog names in its entries above version `since`."""
    found: set[str] = set()
    for line in changelog.splitlines():
        entry = re.match(r"\S+ \(([^)]+)\) ", line)
        if entry and entry[1] == re.sub(r"\+b\d+$", "", since):
            break
        found.update(re.findall(r"CVE-\d{4}-\d{4,}", line))
    return sorted(found)


def changelog_of(deb: Path) -> str:
    """The Debian changelog a .deb has in it, "" when it only links to another package's."""
    tar = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(deb)], stdout=subprocess.PIPE)
    taken = subprocess.run(["tar", "-xO", "--wildcards", "--no-anchored", "usr/share/doc/*/changelog.Debian.gz"],
                           stdin=tar.stdout, capture_output=True, check=False).stdout
    tar.communicate()
    return gzip.decompress(taken).decode("utf-8", "replace") if taken else ""


def lock(arch: str) -> int:
    file = IMAGE / f"lock.{arch}.txt"
    before = file.read_text("utf-8") if file.exists() else ""
    archive = Archive(arch, CACHE, SOURCES)
    archive.renew()
    found = archive.resolved(wanted(arch))
    text = written(arch, archive.day(), [*found, *wheels(arch, CACHE / "wheels")])
    old, new = read(before), read(text)
    changed = list(changes(old, new))
    print(f"{arch}: {len(new)} packages, {len(changed)} changed.", file=sys.stderr)
    if before and changed:
        addresses = {one.sha256: address for one, address in found.items() if one not in old}
        archive.download({sha256: address for sha256, address in addresses.items() if sha256 not in in_cache(CACHE)})
        digests = {one.name: one.sha256 for one in new}
        for name, was, now in changed:
            print(f"  {name} {was or '(new)'} -> {now or '(gone)'}", file=sys.stderr)
            if was and now and not name.startswith("pypi:"):
                holes = holes_closed(changelog_of(CACHE / "debs" / f"{digests[name]}.deb"), was)
                if holes:
                    print(f"    closes {', '.join(holes)}", file=sys.stderr)
        print("Holes are those the packages' own changelogs name; Debian's tracker is not asked.", file=sys.stderr)
    print(text if changed else before, end="")
    return 0


def fetch(arch: str, image: Path = IMAGE, cache: Path = CACHE, sources: Path = SOURCES) -> int:
    """0 when every .deb of a lock file is in the cache; LACKING, said which, when the archive has some no longer."""
    locked = [one for one in read((image / f"lock.{arch}.txt").read_text("utf-8")) if not one.name.startswith("pypi:")]
    missing = lacking(locked, in_cache(cache))
    if not missing:
        return 0
    archive = Archive(arch, cache, sources)
    archive.renew()
    addresses = archive.addresses()
    gone = lacking(missing, set(addresses))
    if gone:
        for one in gone:
            print(f"  {one.name} {one.version}", file=sys.stderr)
        print(f"Debian's mirror no longer has {len(gone)} of the packages that image/lock.{arch}.txt names (above). "
              f"Nothing else was taken instead. Run: image/lock --arch {arch}", file=sys.stderr)
        return LACKING
    archive.download({one.sha256: addresses[one.sha256] for one in missing})
    return 0


if __name__ == "__main__":
    try:
        sys.exit({"lock": lock, "fetch": fetch}[sys.argv[1]](sys.argv[2]))
    except OSError as error:
        print(error, file=sys.stderr)
        sys.exit("deskbell: that failed (last words above); nothing was changed. "
                 "When it was Debian's mirror, check the network and try again.")

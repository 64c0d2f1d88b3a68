"""A git history of real source: a Debian source package, imported commit by commit. Upstream's files come folder by
folder, the package's patches one by one. Taken from where this machine's apt takes its packages; nothing of apt's own
configuration or state is touched."""

import pathlib
import re
import shutil
import subprocess

from tests.support.git_upstream import git

FILES_PER_COMMIT = 200
SOURCES = pathlib.Path("/etc/apt")


class Apt:
    """apt with lists of its own, and the host's sources as sources of source packages."""

    def __init__(self, directory: pathlib.Path):
        for folder in ("lists/partial", "cache/archives/partial", "parts"):
            (directory / folder).mkdir(parents=True, exist_ok=True)
        for file in [SOURCES / "sources.list", *(SOURCES / "sources.list.d").glob("*.[ls]*")]:
            if file.suffix not in (".list", ".sources"):
                continue
            text = re.sub(r"^Types: deb$", "Types: deb-src", file.read_text() if file.exists() else "", flags=re.M)
            (directory / "parts" / file.name).write_text(re.sub(r"^deb ", "deb-src ", text, flags=re.M))
        self.options = ["-o", "Dir::Etc::SourceList=/dev/null", "-o", f"Dir::Etc::SourceParts={directory}/parts",
                        "-o", f"Dir::State::Lists={directory}/lists", "-o", f"Dir::Cache={directory}/cache"]
        self.run("apt-get", "-q", "update")

    def run(self, *command: str, **options) -> str:
        return subprocess.run([command[0], *self.options, *command[1:]], check=True, capture_output=True, text=True,
                              **options).stdout

    def source(self, package: str, directory: pathlib.Path) -> pathlib.Path:
        """Unpacked without its patches, in the newest version that can be had."""
        versions = re.findall(rf"^Package: {re.escape(package)}\n(?:.+\n)*?Version: (\S+)",
                              self.run("apt-cache", "showsrc", package), re.M)
        for version in sorted(set(versions), reverse=True):
            folder = directory / "package"
            folder.mkdir(parents=True)
            try:
                self.run("apt-get", "source", "-q", "--download-only", f"{package}={version}", cwd=folder)
                subprocess.run(["dpkg-source", "--no-check", "--skip-patches", "-x", next(folder.glob("*.dsc")), "tree"],
                               cwd=folder, check=True, capture_output=True)
                return folder / "tree"
            except subprocess.CalledProcessError:
                shutil.rmtree(folder)
        raise RuntimeError(f"no version of {package} could be fetched")


def commit(here: pathlib.Path, message: str) -> None:
    git("-C", str(here), "commit", "-q", "-m", message)


def import_package(package: str, directory: pathlib.Path) -> pathlib.Path:
    """The repository, its branch `main`, packed."""
    here = Apt(directory / "apt").source(package, directory)
    git("init", "-q", "-b", "main", str(here))
    git("-C", str(here), "config", "gc.auto", "0")
    names = git("-C", str(here), "ls-files", "-zo", "--", ".").stdout.split("\0")[:-1]
    ours = [name for name in names if name.startswith("debian/")]
    theirs = [name for name in names if not name.startswith("debian/")]
    for group in (theirs, ours):
        for at in range(0, len(group), FILES_PER_COMMIT):
            some = group[at:at + FILES_PER_COMMIT]
            git("-C", str(here), "add", "-f", "--pathspec-from-file=-", "--pathspec-file-nul",
                input="".join(f":(literal){name}\0" for name in some))
            commit(here, f"Import {len(some)} files from {some[0]} on")
    series = here / "debian/patches/series"
    for line in series.read_text().splitlines() if series.exists() else []:
        patch = line.partition("#")[0].split()
        if patch and git("-C", str(here), "apply", "--index", f"debian/patches/{patch[0]}", check=False).returncode == 0:
            commit(here, f"Apply {patch[0]}")
    git("-C", str(here), "repack", "-qad")
    return here

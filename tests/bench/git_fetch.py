"""Clone and fetch through Gatehouse, scanner on, beside direct.

    python3 -m tests.bench.git_fetch [PACKAGE [FOLDER]]

The repository is real source, made on the spot as git_push makes it, and kept in FOLDER. Clones are bare, so that what is
timed is git's own traffic and work; each is done in turn, through the proxy and without it, from the same server."""

import pathlib
import shutil
import statistics
import sys
import tempfile
import time

from tests.bench.git_source import import_package
from tests.support.gates import Gates
from tests.support.git_upstream import GitUpstream, git

HOST = "git.demo.test"
ROUNDS = 5
COMMITS = 50  # that a fetch is behind


def timed(*arguments: str, env: dict) -> float:
    start = time.perf_counter()
    git(*arguments, env=env)
    return time.perf_counter() - start


def measure(what: str, run) -> None:
    """`run(way)` gives the seconds of one go."""
    spent: dict[str, list[float]] = {"through": [], "direct": []}
    for _ in range(ROUNDS):
        for way, times in spent.items():
            times.append(run(way))
    through, direct = (statistics.median(times) for times in spent.values())
    print(f"{what}: {through:.2f} s, direct {direct:.2f} s: {100 * direct / through:.0f} % of direct speed")


def main() -> None:
    package = sys.argv[1] if len(sys.argv) > 1 else "mariadb"
    directory = pathlib.Path(tempfile.mkdtemp(prefix="gatehouse-git-bench-", dir="/var/tmp"))
    kept = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else directory / "source"
    try:
        here = kept / "package/tree"
        if not here.exists():
            import_package(package, kept)
        upstream = GitUpstream(directory / "upstream", [HOST])
        bare = upstream.make("app")
        git("-C", str(here), "push", "-q", str(bare), "main", f"main~{COMMITS}:refs/heads/old")
        git("-C", str(bare), "repack", "-qad")
        size = sum(file.stat().st_size for file in (bare / "objects/pack").glob("*.pack"))
        gates = Gates(directory / "gates", {
            "git": [{"id": "app", "action": "allow", "remotes": [f"https://{HOST}/git/app.git"], "push": {"branches": ["**"]}}],
            "resolve": {HOST: f"127.0.0.1:{upstream.tls}"}}, "--upstream-ca", str(upstream.ca), dlp=True, git=True)
        ways = {"through": (f"https://{HOST}/git/app.git",
                            {"https_proxy": f"http://127.0.0.1:{gates.port}", "GIT_SSL_CAINFO": str(gates.ca)}),
                "direct": (f"https://127.0.0.1:{upstream.tls}/git/app.git", {"GIT_SSL_NO_VERIFY": "1"})}
        clone = directory / "clone.git"

        def cloned(way: str) -> float:
            url, environment = ways[way]
            spent = timed("clone", "-q", "--bare", url, str(clone), env=environment)
            shutil.rmtree(clone)
            return spent

        def fetched(way: str) -> float:
            url, environment = ways[way]
            git("clone", "-q", "--bare", "--single-branch", "-b", "old", f"file://{bare}", str(clone))
            spent = timed("-C", str(clone), "fetch", "-q", url, "main", env=environment)
            shutil.rmtree(clone)
            return spent

        def listed(way: str) -> float:
            url, environment = ways[way]
            return timed("ls-remote", "-q", url, env=environment)

        try:
            measure(f"clone of {size / 1e6:.0f} MB", cloned)
            measure(f"fetch of {COMMITS} commits", fetched)
            measure("ls-remote", listed)
        finally:
            gates.close()
            upstream.close()
    finally:
        shutil.rmtree(directory)


if __name__ == "__main__":
    main()

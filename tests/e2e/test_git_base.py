"""Pushes that are judged by what they build on: the gate reads that from the remote through the proxy, each read with a
row of its own."""

import pathlib
import unittest

from tests.e2e.test_git import HOST, GitTest
from tests.support.git_upstream import git

SIGNED = "words\n\nSigned-off-by: Ada"
WORKFLOW = ".github/workflows/build.yml"


class Base(GitTest):
    def ready(self, filters: bool = True) -> pathlib.Path:
        """A guarded repository with three commits on main."""
        here = self.work("guarded")
        if filters:
            git("-C", str(self.bare(here)), "config", "uploadpack.allowFilter", "true")
        for i in range(2):
            self.commit(here, {f"src/{i}.c": "int x;\n"}, SIGNED)
        self.seed(here, "main")
        return here

    def bare(self, here: pathlib.Path) -> pathlib.Path:
        return self.upstream.root / f"{here.name}.git"

    def seed(self, here: pathlib.Path, *refs: str) -> None:
        """Straight to the server."""
        git("-C", str(here), "push", "-q", "--force", str(self.bare(here)), *refs)

    def reads(self, here: pathlib.Path) -> list[str]:
        """What has been read on behalf of the last push, by its rows."""
        trace = self.rows(here)[-1]["trace_id"]
        rows = self.gates.rows(trace_id=trace)
        for row in rows[:-1]:
            self.assertEqual((row["verdict"], row["rule_id"]), ("allow", "guarded"))
        self.assertTrue(rows[-1]["path"].endswith("/git-receive-pack"), rows[-1])
        return [row["method"] + row["path"].removeprefix(f"/git/{here.name}.git") for row in rows[:-1]]

    def accepted(self, done, here: pathlib.Path, ref: str, commit: str) -> None:
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.arrived(here, ref), commit)


class Proved(Base):
    def test_what_leaves_the_paths_as_they_are_arrives(self):
        for filters in (True, False):
            with self.subTest(filters=filters):
                here = self.ready(filters)
                commit = self.commit(here, {"src/main.c": "int main;\n"}, SIGNED)
                self.accepted(self.push(here, "main"), here, "main", commit)
                self.assertEqual(self.reads(here), ["GET/info/refs", "POST/git-upload-pack", "POST/git-upload-pack"])
                filtered = [entry for entry in self.upstream.backend.asked if entry[1].endswith(f"{here.name}.git/git-upload-pack")]
                self.assertEqual(len(filtered), 2)

    def test_an_upstream_of_version_0_is_read_too(self):
        here = self.ready()
        self.upstream.backend.version = 0
        try:
            commit = self.commit(here, {"src/main.c": "int main;\n"}, SIGNED)
            self.accepted(self.push(here, "main"), here, "main", commit)
            self.assertEqual(self.reads(here), ["GET/info/refs", "POST/git-upload-pack"])
        finally:
            self.upstream.backend.version = 2

    def test_a_branch_from_an_older_commit_of_the_remote_arrives(self):
        here = self.ready()
        git("-C", str(here), "switch", "-q", "-c", "agent/topic", "HEAD~2")
        commit = self.commit(here, {"more.txt": "more\n"}, SIGNED)
        self.accepted(self.push(here, "agent/topic"), here, "agent/topic", commit)
        self.assertEqual(len(self.reads(here)), 4)  # and the history that the older commit is in
        self.accepted(self.push(here, "HEAD~1:refs/heads/agent/same"), here, "agent/same", self.at(here, "HEAD~1"))

    def test_a_merge_of_what_others_have_changed_arrives(self):
        here = self.ready()
        git("-C", str(here), "switch", "-q", "-c", "topic")
        self.commit(here, {"topic.txt": "topic\n"}, SIGNED)
        self.seed(here, "topic")
        git("-C", str(here), "switch", "-q", "main")
        self.commit(here, {WORKFLOW: "on: [push, pull_request]\n"}, SIGNED)
        self.seed(here, "main")
        git("-C", str(here), "switch", "-q", "topic")
        git("-C", str(here), "merge", "-q", "-m", SIGNED, "main")
        self.accepted(self.push(here, "topic"), here, "topic", self.at(here, "topic"))

    def test_a_fast_forward_to_commits_that_the_remote_has_is_one(self):
        here = self.ready()
        self.seed(here, "main:refs/heads/dev")
        self.seed(here, "HEAD~2:refs/heads/slow")
        self.accepted(self.push(here, "main:slow"), here, "slow", self.at(here, "main"))
        self.assertEqual(self.rows(here)[-1]["kind"], "update")
        # Without protected paths, too.
        here = self.work()
        old = self.at(here, "HEAD")
        for i in range(3):
            self.commit(here, {f"{i}.txt": "x\n"})
        self.seed(here, "main:refs/heads/agent/dev")
        git("-C", str(here), "switch", "-q", "--detach", old)
        side = self.commit(here, {"side.txt": "x\n"})
        self.assertEqual(self.push(here, f"{old}:refs/heads/agent/slow").returncode, 0)
        done = self.push(here, "main:agent/slow")
        self.accepted(done, here, "agent/slow", self.at(here, "main"))
        done = self.push(here, f"{side}:refs/heads/agent/slow", options=())
        self.assertNotEqual(done.returncode, 0)

    def test_a_forced_push_that_leaves_the_paths_as_they_are_arrives(self):
        here = self.work("loose")
        self.commit(here, {"a.txt": "a\n"})
        self.seed(here, "main")
        commit = self.commit(here, {"a.txt": "b\n"}, "words", "--amend")
        self.accepted(self.push(here, "--force", "main"), here, "main", commit)
        self.assertEqual(self.rows(here)[-1]["kind"], "force")


class NotProved(Base):
    def test_a_change_of_a_path_is_refused_however_it_is_made(self):
        def edited(here):
            self.commit(here, {WORKFLOW: "on: [push, pull_request]\n"}, SIGNED)
            return WORKFLOW

        def added(here):
            self.commit(here, {".github/workflows/new.yml": "on: push\n"}, SIGNED)
            return ".github/workflows/new.yml"

        def deleted(here):
            git("-C", str(here), "rm", "-q", "-r", ".github")
            self.commit(here, {}, SIGNED)
            return WORKFLOW

        def owners(here):
            self.commit(here, {"docs/CODEOWNERS": "* @eve\n"}, SIGNED)
            return "docs/CODEOWNERS"

        def and_back(here):
            self.commit(here, {WORKFLOW: "on: [push, pull_request]\n"}, SIGNED)
            self.commit(here, {WORKFLOW: "on: push\n"}, SIGNED)
            return WORKFLOW

        def a_link(here):
            git("-C", str(here), "mv", ".github", "ci")
            (here / ".github").symlink_to("ci")
            self.commit(here, {}, SIGNED)
            return ".github"

        def other_letters(here):
            self.commit(here, {".GitHub/Workflows/x.yml": "on: push\n"}, SIGNED)
            return ".GitHub/Workflows/x.yml"

        def short_name(here):
            self.commit(here, {"GITHUB~1/workflows/x.yml": "on: push\n"}, SIGNED)
            return "GITHUB~1/workflows/x.yml"

        def ignored_characters(here):
            self.commit(here, {".git\u200chub/workflows/x.yml": "on: push\n"}, SIGNED)
            return "hub/workflows/x.yml"

        for case in (edited, added, deleted, owners, and_back, a_link, other_letters, short_name, ignored_characters):
            with self.subTest(case.__name__):
                here = self.ready()
                path = case(here)
                self.refused(self.push(here, "main"), here, "git.path", f"{path}' may not change, says rule 'guarded'")
                self.assertIn("POST/git-upload-pack", self.reads(here) or ["POST/git-upload-pack"])

    def test_a_commit_that_no_branch_of_the_remote_has_is_no_base(self):
        """It is there (as a fork's is, with shared objects), and nobody has let it in."""
        here = self.ready()
        git("-C", str(here), "switch", "-q", "-c", "evil")
        evil = self.commit(here, {WORKFLOW: "on: [push, pull_request]\n"}, SIGNED)
        self.seed(here, "evil:refs/pull/1/head")
        self.refused(self.push(here, f"{evil}:refs/heads/agent/a"), here, "git.path-unproved", "in no branch or tag")
        on_it = self.commit(here, {"a.txt": "a\n"}, SIGNED)
        body_only = git("-C", str(here), "push", "origin", f"{on_it}:refs/heads/agent/b", check=False,
                        env=self.environment)
        self.assertNotEqual(body_only.returncode, 0)
        self.assertEqual(self.upstream.pushes(), self.pushes)

    def test_an_older_state_cannot_be_merged_back(self):
        here = self.ready()
        old = self.at(here, "HEAD")
        self.commit(here, {WORKFLOW: "on: [push, pull_request]\n"}, SIGNED)
        self.seed(here, "main")
        git("-C", str(here), "merge", "-q", "--no-ff", "-s", "ours", "-m", SIGNED, old, check=False)
        tree = self.at(here, f"{old}^{{tree}}")
        merge = git("-C", str(here), "commit-tree", tree, "-p", "main", "-p", old, "-m", SIGNED).stdout.strip()
        self.refused(self.push(here, f"{merge}:refs/heads/main"), here, "git.path", WORKFLOW)

    def test_a_rewound_branch_is_refused(self):
        here = self.work("loose")
        old = self.at(here, "HEAD")
        self.commit(here, {WORKFLOW: "on: [push, pull_request]\n"})
        self.seed(here, "main")
        self.refused(self.push(here, "--force", f"{old}:main"), here, "git.path", WORKFLOW)

    def test_without_leave_to_fetch_nothing_is_read_and_nothing_proved(self):
        here = self.work("blind")
        self.commit(here, {"a.txt": "a\n"})
        git("-C", str(here), "config", "remote.origin.fetch", "+refs/heads/none:refs/heads/none")
        asked = len(self.upstream.backend.asked)
        self.refused(self.push(here, "main"), here, "git.path-unproved", "the remote cannot be asked", "no-read")
        self.assertEqual([entry[1].rpartition("/")[2] for entry in self.upstream.backend.asked[asked:]],
                         ["refs?service=git-receive-pack", "refs?service=git-upload-pack"])

    def test_a_ref_that_has_moved_on_is_told(self):
        here = self.ready()
        old = self.at(here, "HEAD")
        tree = self.at(here, "HEAD^{tree}")
        ours = git("-C", str(here), "commit-tree", tree, "-p", old, "-m", SIGNED).stdout.strip()
        self.commit(here, {"src/other.c": "int y;\n"}, SIGNED)
        self.seed(here, "main")
        head = f"{old} {ours} refs/heads/main\0 report-status side-band-64k object-format=sha1"
        body = f"{len(head) + 4:04x}{head}0000".encode() + self.pack(here, ours)
        answer = self.post(here, body)
        self.assertIn(b"has moved on", answer)
        self.assertEqual(self.rows(here)[-1]["rule_id"], "git.path-unproved")
        self.assertEqual(self.upstream.pushes(), self.pushes)


del GitTest, Base  # no tests of their own here

if __name__ == "__main__":
    unittest.main()

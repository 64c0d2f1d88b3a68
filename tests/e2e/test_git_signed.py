"""How a push is made: signed pushes, several refs at once, hosts of Git LFS; and what a refusal may say."""

import pathlib
import subprocess
import unittest
import zlib

from tests.e2e.test_git import CAPABILITIES, HOST, NO_ID, RULE, TOKEN, commands, pkt
from tests.e2e.test_git_hostile import HostileTest, blob, entry_head, pack_of
from tests.support.git_upstream import git


REMOTE = f"https://{HOST}/git/"
SEED = "upstream's own"


def certified(line: str, pushee: str, pusher: str = "Ada <ada@demo.test>", *more: str) -> bytes:
    """The commands of a signed push, by hand; its signature is none."""
    lines = ["certificate version 0.1", f"pusher {pusher} 1700000000 +0000", f"pushee {pushee}", "nonce 1700000000-0a0b", "",
             line, "-----BEGIN SSH SIGNATURE-----", "QUJD", "-----END SSH SIGNATURE-----", "push-cert-end", *more]
    return pkt(f"push-cert\0{CAPABILITIES}") + b"".join(pkt(text + "\n") for text in lines) + b"0000"


class Signed(HostileTest):
    RULES = [{"id": "plain", "action": "allow", "remotes": [REMOTE + "app-plain-*.git"], "push": {"branches": ["**"]}},
             {"id": "may", "action": "allow", "remotes": [REMOTE + "app-may-*.git"],
              "push": {"branches": ["**"], "signed": "allow", "push_options": True}},
             {"id": "must", "action": "allow", "remotes": [REMOTE + "app-must-*.git"],
              "push": {"branches": ["**"], "signed": "require"}}]

    @classmethod
    def prepare(cls):
        cls.key = cls.directory / "key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(cls.key)], check=True)
        public = cls.key.with_suffix(".pub").read_text()
        (cls.directory / "signers").write_text(f"ada@demo.test {public}")

    def ready(self, kind: str) -> pathlib.Path:
        """A repository whose server takes signed pushes and notes what it makes of them."""
        here = self.work(f"app-{kind}")
        bare = self.upstream.root / f"{here.name}.git"
        for name, value in (("receive.certNonceSeed", SEED), ("receive.certNonceSlop", "600"), ("gpg.format", "ssh"),
                            ("gpg.ssh.allowedSignersFile", str(self.directory / "signers"))):
            git("-C", str(bare), "config", name, value)
        hook = bare / "hooks/post-receive"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f'#!/bin/sh\necho "$GIT_PUSH_CERT_STATUS $GIT_PUSH_CERT_NONCE_STATUS" >{bare}/signed\n')
        hook.chmod(0o755)
        git("-C", str(here), "config", "gpg.format", "ssh")
        git("-C", str(here), "config", "user.signingKey", str(self.key))
        return here

    def seen(self, here: pathlib.Path) -> str:
        return (self.upstream.root / f"{here.name}.git/signed").read_text().strip()

    def test_a_signed_push_arrives_with_its_signature_where_it_may(self):
        for kind, options in (("may", ("-o", "ci.skip")), ("must", ())):
            with self.subTest(kind):
                here = self.ready(kind)
                commit = self.commit(here, {"a.txt": "a\n"})
                done = self.push(here, "--signed", *options, "main", "HEAD:agent/x")
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertEqual(self.arrived(here, "main"), commit)
                self.assertIn(self.seen(here), ("G OK", "G SLOP"))
                self.assertEqual({(row["verdict"], row["rule_id"]) for row in self.rows(here)}, {("allow", kind)})

    def test_where_it_need_not_be_signed_either_arrives(self):
        here = self.ready("may")
        commit = self.commit(here, {"a.txt": "a\n"})
        self.assertEqual(self.push(here, "main").returncode, 0)
        self.assertEqual(self.arrived(here, "main"), commit)

    def test_where_it_must_be_signed_no_other_arrives(self):
        here = self.ready("must")
        self.commit(here, {"a.txt": "a\n"})
        self.refused(self.push(here, "main"), here, "git.signed", "rule 'must'", "push with --signed")

    def test_where_it_may_not_be_signed_git_is_told_and_a_hand_made_one_is_refused(self):
        here = self.ready("plain")
        commit = self.commit(here, {"a.txt": "a\n"})
        done = self.push(here, "--signed", "main")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("does not support --signed push", done.stderr)
        pack = self.pack(here, commit, self.at(here, "HEAD^{tree}"), self.at(here, "HEAD:a.txt"))
        answer = self.post(here, certified(f"{NO_ID} {commit} refs/heads/x", REMOTE + here.name) + pack)
        self.assertIn(b"lets no signed push pass", answer)
        self.assertEqual(self.rows(here)[-1]["rule_id"], "git.signed")
        self.assertEqual(self.upstream.pushes(), self.pushes)

    def test_a_certificate_is_held_to_the_push_and_looked_through(self):
        here = self.ready("may")
        commit = self.commit(here, {"a.txt": "a\n"})
        pack = self.pack(here, commit, self.at(here, "HEAD^{tree}"), self.at(here, "HEAD:a.txt"))
        line, own = f"{NO_ID} {commit} refs/heads/x", f"{REMOTE}{here.name}.git"
        cases = [("for another repository", certified(line, REMOTE + "app-may-0.git"), "git.certificate"),
                 ("for another host", certified(line, f"https://evil.example/git/{here.name}.git"), "git.certificate"),
                 ("with a token", certified(line, own, TOKEN), RULE),
                 ("with a token in its signature", certified(line, own).replace(b"0009QUJD\n", pkt(TOKEN + "\n")), RULE),
                 ("with a command behind it", certified(line, own, "Ada", f"{NO_ID} {commit} refs/heads/y"), "git.malformed"),
                 ("with options that are not sent", certified(line, own).replace(
                     b"0005\n", pkt("push-option x\n") + b"0005\n", 1), "git.malformed")]
        for name, head, rule in cases:
            with self.subTest(name):
                answer = self.post(here, head + pack)
                row = self.rows(here)[-1]
                self.assertEqual((row["verdict"], row["rule_id"]), ("deny", rule), row["reason"])
                self.assertIn(rule.encode(), answer)
                self.assertEqual(self.upstream.pushes(), self.pushes)
                self.assertNotIn(TOKEN, str([row, self.gates.rows(trace_id=row["trace_id"])]))
                if rule == RULE:
                    self.assertIn("push certificate", row["findings"])


class Together(HostileTest):
    RULES = [{"id": "app", "action": "allow", "remotes": [REMOTE + "app-*.git"],
              "push": {"branches": ["**"], "atomic": True, "lfs_hosts": ["media.demo.test"]}}]

    def test_several_refs_pass_only_together(self):
        here = self.work()
        commit = self.commit(here, {"a.txt": "a\n"})
        done = self.push(here, "main", "HEAD:agent/x")
        self.refused(done, here, "git.atomic", "push with --atomic")
        self.assertEqual(self.push(here, "--atomic", "main", "HEAD:agent/x").returncode, 0)
        self.assertEqual((self.arrived(here, "main"), self.arrived(here, "agent/x")), (commit, commit))
        self.assertEqual(self.push(here, "HEAD:agent/y").returncode, 0)

    def test_the_upstream_takes_all_of_them_or_none(self):
        here = self.work()
        hook = self.upstream.root / f"{here.name}.git/hooks/update"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text('#!/bin/sh\n[ "$1" = refs/heads/main ]\n')
        hook.chmod(0o755)
        old = self.at(here, "HEAD")
        self.commit(here, {"a.txt": "a\n"})
        self.assertNotEqual(self.push(here, "--atomic", "main", "HEAD:agent/x").returncode, 0)
        self.assertEqual((self.arrived(here, "main"), self.arrived(here, "agent/x")), (old, ""))

    def test_hosts_of_lfs_are_not_those_of_submodules(self):
        lfs = '[lfs]\n\turl = https://media.demo.test/app\n'
        here = self.work()
        commit = self.commit(here, {".lfsconfig": lfs})
        self.assertEqual(self.push(here, "main").returncode, 0)
        self.assertEqual(self.arrived(here, "main"), commit)
        for text, rule in ((lfs.replace("media", "evil"), "git.lfs"),
                           ('[submodule "x"]\n\tpath = x\n\turl = https://media.demo.test/app\n', "git.submodule")):
            here = self.work()
            self.pushes = self.upstream.pushes()
            self.commit(here, {"any-name": text})
            self.refused(self.push(here, "main"), here, rule, "demo.test")


class Words(HostileTest):
    """What is refused before the scanner has seen it must not get into the log by way of the refusal."""

    def test_no_refusal_puts_a_secret_into_the_log(self):
        here = self.work()
        commit = self.commit(here, {"a.txt": "a\n"})
        secret = f"{NO_ID} {commit} refs/heads/agent/{TOKEN}"
        tag = f"object {commit}\ntype commit\ntag {TOKEN}^bad\ntagger A <a@b> 1 +0000\n\nwords\n".encode()
        unsound = b"tree x\n"
        pack = pack_of(blob(b"x"), entry_head(4, len(tag)) + zlib.compress(tag), entry_head(1, len(unsound)) + zlib.compress(unsound))
        cases = [("a name before junk", commands(secret) + b"junk" * 10, "git.malformed"),
                 ("a name before a bad pack", commands(secret) + pack_of(count=3), "git.pack"),
                 ("what git quotes", commands(f"{NO_ID} {commit} refs/heads/agent/x") + pack, "git.pack"),
                 ("a line that is no command", pkt(f"{TOKEN}\0{CAPABILITIES}") + b"0000", "git.malformed"),
                 ("a name twice", commands(secret, secret), "git.malformed"),
                 ("a capability", commands(f"{NO_ID} {commit} refs/heads/agent/x", capabilities=TOKEN), "git.malformed")]
        for name, body, rule in cases:
            with self.subTest(name):
                answer = self.post(here, body)
                self.assertIn(rule.encode(), answer)
                row = self.rows(here)[-1]
                self.assertEqual((row["verdict"], row["rule_id"]), ("deny", rule), row["reason"])
                trace = [self.gates.rows(table, trace_id=row["trace_id"]) for table in ("git_events", "net_events", "dlp_findings")]
                self.assertNotIn(TOKEN, str(trace))
                self.assertIn("github-pat", str(trace))
                self.assertEqual(self.upstream.pushes(), self.pushes)

    def test_a_folder_whose_name_has_lines_is_not_told(self):
        here = self.work()
        self.commit(here, {f"a\n{TOKEN}/b.env": f"TOKEN={TOKEN.replace('A', 'B')}\n"})
        row = self.refused(self.push(here, "main"), here, RULE)
        self.assertIn("***/b.env", row["findings"])


del HostileTest  # no tests of its own here

if __name__ == "__main__":
    unittest.main()

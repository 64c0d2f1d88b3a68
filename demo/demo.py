"""Boots a guest, lets demo/agent.sh loose in it, prints the audit table, and checks every verdict."""

import os
import pathlib
import subprocess
import sys
import time

from tests.support.house import GATEHOUSE, House
from tests.support.upstream import Upstream

HERE = pathlib.Path(__file__).resolve().parent

# In the order of agent.sh: columns of the row each attempt must leave.
EXPECTED = [
    {"table": "net_events", "verdict": "allow", "rule_id": "api-read", "method": "GET", "path": "/v1/status"},
    {"table": "net_events", "verdict": "allow", "rule_id": "api-notes", "method": "POST", "path": "/v1/notes"},
    {"table": "dns_events", "verdict": "deny", "rule_id": "default-deny", "name": "evil.example"},
    {"table": "net_events", "verdict": "deny", "rule_id": "default-deny", "path": "/admin/keys"},
    {"table": "net_events", "verdict": "deny", "rule_id": "address.unknown", "channel": "https", "address": "93.184.216.34"},
    {"table": "net_events", "verdict": "deny", "rule_id": "address.unknown", "channel": "http", "address": "93.184.216.34"},
    {"table": "net_events", "verdict": "deny", "rule_id": "default-deny", "port": 8443},
    {"table": "net_events", "verdict": "deny", "rule_id": "name.mismatch"},
    {"table": "dns_events", "verdict": "deny", "rule_id": "default-deny",
     "name": "c2vjcmv0lxrva2vultaxmjm0nty3odk.73656372657400ff.exfil.example"},
    {"table": "dns_events", "verdict": "deny", "rule_id": "default-deny", "name": "leak.example", "type": "TXT"},
    {"table": "dlp_findings", "verdict": "deny", "rule": "github-pat", "decode_path": "gzip>base64"},
    {"table": "dlp_findings", "verdict": "deny", "rule": "github-pat", "decode_path": "percent>percent"},
    {"table": "dlp_findings", "verdict": "deny", "rule": "github-pat", "decode_path": "json"},
    {"table": "dlp_findings", "verdict": "deny", "rule": "known-secret", "decode_path": ""},
    {"table": "dlp_findings", "verdict": "deny", "rule": "canary", "decode_path": "base64>gzip"},
]

# A credential of the host's that the guest is never given. The scanner knows it; the agent of this play guessed it.
SECRET = "demo-5f1c9a7be3d2408f96ab"


def rules(upstream: Upstream) -> dict:
    return {
        "name": "demo",
        "http": [
            {"id": "api-read", "action": "allow", "hosts": ["api.demo.test"], "methods": ["GET"], "paths": ["/v1/**"]},
            {"id": "api-notes", "action": "allow", "hosts": ["api.demo.test"], "methods": ["POST"], "paths": ["/v1/notes"]},
        ],
        "secrets": {"DEMO_API_KEY": {"from": "env:DEMO_API_KEY"}},
        "resolve": {"api.demo.test": f"127.0.0.1:{upstream.tls}"},
    }


def main() -> int:
    began = time.monotonic()
    house = House()
    house.environment = {**os.environ, "DEMO_API_KEY": SECRET}  # the log stays where a user's sessions are: gatehouse audit demo
    upstream = Upstream(house.directory / "upstream", ["api.demo.test", "other.demo.test"])
    try:
        policy = house.policy(rules(upstream), "demo.json")
        with open(HERE / "agent.sh") as agent:
            done = subprocess.run([GATEHOUSE, "run", "--policy", policy, "--name", "demo", "--upstream-ca", upstream.ca,
                                   "--", "sh"], stdin=agent, env=house.environment, timeout=300)
        if done.returncode != 0:
            print(f"demo: the session ended with {done.returncode}", file=sys.stderr)
            return 1

        print("\nWhat the audit log holds:\n", flush=True)
        subprocess.run([GATEHOUSE, "audit", "demo"], env=house.environment, check=True)
        rows = house.audit("demo")
        wrong = [row for row in EXPECTED if not any(row.items() <= found.items() for found in rows)]
        for row in wrong:
            print(f"demo: no such row: {row}", file=sys.stderr)
        allowed = [row for row in EXPECTED if row["verdict"] == "allow"]
        if len(upstream.requests()) != len(allowed):
            wrong.append({})
            print(f"demo: the upstream saw {upstream.requests()}", file=sys.stderr)
        if house.gatehouse("audit", "verify", "demo").returncode != 0:
            wrong.append({})
            print("demo: the audit log does not verify", file=sys.stderr)
        if not wrong:
            print(f"\n{len(EXPECTED)} attempts, {len(allowed)} allowed, all as expected; the upstream saw "
                  f"{len(upstream.requests())} requests; {time.monotonic() - began:.0f} s\n"
                  "Look again: build/release/bin/gatehouse audit demo [--blocked] [--json]")
        return 1 if wrong else 0
    finally:
        upstream.close()
        house.close()


if __name__ == "__main__":
    sys.exit(main())

"""DNS from inside a guest, over its relay, vsock and the bridge; beside it the same questions to a program in that guest
that gives them back, which is what a guest without KVM costs:  python3 -m tests.bench.dns_guest [SECONDS]"""

import subprocess
import sys

from tests.support.house import GATEHOUSE, ROOT, House

LOADS = ["{0} 1 100", "{0} 64 2000", "{0} 64 1000000"]  # seconds, questions in flight, different names
ECHO_PORT = 5300


def main() -> None:
    seconds = sys.argv[1] if len(sys.argv) > 1 else "5"
    house = House()
    try:
        policy = house.policy({"http": [{"id": "all", "action": "allow", "hosts": ["**.bench.example"]}]})
        program = (ROOT / "build/release/bench/dns_load").read_bytes()
        loads = "; ".join(f"/tmp/load {load.format(seconds)} {port}" for port in (ECHO_PORT, 53) for load in LOADS)
        done = subprocess.run([GATEHOUSE, "run", "--policy", policy, "--name", "dns", "--", "sh", "-c",
                               f"cat >/tmp/load && chmod +x /tmp/load && /tmp/load 1 64 2000 >/dev/null; "
                               f"/tmp/load echo {ECHO_PORT} & {loads}"],
                              input=program, stdout=subprocess.PIPE, env=house.environment, check=True)
        print(done.stdout.decode(), end="")
        rows = [row for row in house.audit("dns") if row["table"] == "dns_events"]
        print(f"audit rows: {len(rows)}; names with an address: {len({row['name'] for row in rows if row['address']})}")
    finally:
        house.close()


if __name__ == "__main__":
    main()

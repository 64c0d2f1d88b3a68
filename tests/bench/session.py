"""Boot stages of a session and the idle memory of its gates:  python3 -m tests.bench.session [RUNS]"""

import re
import statistics
import subprocess
import sys

from tests.support.house import GATEHOUSE, House, Shell

STAGE = re.compile(r"stage (\w+): (\d+) ms, (\d+) ms since start")
PROCESSES = ["gatehouse", "gatehouse-bridge", "gatehouse-dns", "gatehouse-proxy", "gatehouse-dlp", "gatehouse-git-gate", "qemu-system-x86_64"]


def stages(house: House, name: str) -> dict[str, int]:
    done = subprocess.run([GATEHOUSE, "run", "--name", name, "--", "true"], capture_output=True, text=True, check=True,
                          env={**house.environment, "GATEHOUSE_LOG": "debug"})
    found = {stage: int(took) for stage, took, _ in STAGE.findall(done.stderr)}
    found["all"] = int(STAGE.findall(done.stderr)[-1][2])
    return found


def resident_mib(pid: int) -> float:
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return int(re.search(r"VmRSS:\s+(\d+) kB", status.read()).group(1)) / 1024


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    house = House()
    try:
        stages(house, "warm")  # the first run makes images and fills the page cache
        measured = [stages(house, f"boot{i}") for i in range(runs)]
        print(f"gatehouse run -- true, median of {runs}:")
        for stage in measured[0]:
            print(f"  {stage:10} {statistics.median(run[stage] for run in measured):6.0f} ms")
        shell = Shell(house, "--name", "idle")
        print("idle, resident:")
        for process in PROCESSES:
            for pid in house.pids("idle", process):
                print(f"  {process:20} {resident_mib(pid):6.1f} MiB")
        shell.close()
    finally:
        house.close()


if __name__ == "__main__":
    main()

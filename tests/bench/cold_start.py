"""What it costs to start and to run a function: `make bench-cold-start`.

Each function of `make package`, beside the same call made with boto3 and with AWS's SDK for JavaScript, under AWS's own
Runtime Interface Emulator on one CPU, over HTTP and over TLS. The first call to AWS is refused, so that what is measured
is the function's own: process, TLS, signing, reading an answer. Rounds are interleaved; the figures are medians, with
their quartiles.
The result is in target/bench/cold-start.json.
"""

import argparse
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field

from aws_stub import Stub

HERE = pathlib.Path(__file__).resolve().parent
OWNER, REGION, STACK = "111111111111", "us-east-1", "ami-bakery"
PATH = "/2015-03-31/functions/function/invocations"
WARM = 5
SETTLE_SECONDS = 0.05
#: What the emulator says when the process, which it starts at the first invocation, asks for that one: `/next`.
ASKED_FOR_WORK = re.compile(rb"INIT REPORT\(durationMs: ([0-9.]+)\)")
#: The machine's own authorities, since reading them all is part of a real start.
SYSTEM_AUTHORITIES = pathlib.Path("/etc/ssl/certs/ca-certificates.crt")
#: The function that asks what the peers ask.
SAME = "wait-snapshots"
PEERS = ("boto3", "node")
REQUIRED = {
    "https_over_boto3": 1 / 25,
    "https_over_node": 1 / 20,
    "http_over_boto3": 1 / 30,
    "https_peak_mib": 12,
    "https_peak_over_boto3": 1 / 6,
    "zip_mib": 2.5,
    "warm_above_calls_ms": 2,
}


@dataclass
class Subject:
    """Something that Lambda could run."""

    name: str
    command: list
    event: dict
    environment: dict = field(default_factory=dict)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", type=pathlib.Path, required=True, help="where make package has built")
    parser.add_argument("--emulator", type=pathlib.Path, required=True)
    parser.add_argument("--peers", type=pathlib.Path, required=True, help="where setup-peers.sh has put them")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--only", nargs="*", default=[], help="these functions")
    arguments = parser.parse_args()
    subjects = [one for one in functions(arguments.target) if not arguments.only or one.name in arguments.only]
    subjects += peers(arguments.peers)
    runs = {}
    with tempfile.TemporaryDirectory() as folder:
        stub = Stub(pathlib.Path(folder))
        authorities = pathlib.Path(folder) / "authorities.pem"
        authorities.write_bytes(SYSTEM_AUTHORITIES.read_bytes() + stub.authority.read_bytes())
        for _ in range(arguments.rounds):
            for scheme in stub.urls:
                for subject in subjects:
                    run = measured(subject, stub, scheme, authorities, arguments.emulator)
                    runs.setdefault((subject.name, scheme), []).append(run)
        stub.close()
    rows = {name: row(name, runs, arguments.target) for name in dict.fromkeys(name for name, _ in runs)}
    compare(rows)
    missed = [
        f"{name}.{measure}"
        for name, found in rows.items()
        for measure, most in REQUIRED.items()
        if name not in PEERS and found.get(measure, 0) > most
    ]
    out = arguments.target / "bench/cold-start.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(
        json.dumps({"rounds": arguments.rounds, "rows": rows, "required": REQUIRED, "missed": missed}, indent=1)
    )
    show(rows)
    sys.exit(f"missed: {', '.join(missed)}" if missed else None)


def functions(target):
    events = json.loads((HERE / "events.json").read_text())
    environment = {
        "STACK": STACK,
        "BUCKET": "ami-bakery-bench",
        "OWNER_ACCOUNT_ID": OWNER,
        "LIMITS_PARAMETER": f"/ami-bakery/limits/{STACK}",
        "REVOKE_ROLE_ARN": f"arn:aws:iam::{OWNER}:role/{STACK}-revoke",
        "BAKE_MACHINE_ARN": f"arn:aws:states:{REGION}:{OWNER}:stateMachine:{STACK}-bake",
        "BAKE_EXECUTION_PREFIX": f"arn:aws:states:{REGION}:{OWNER}:execution:{STACK}-bake:",
    }
    built = target / "lambda" / "x86_64"
    return [Subject(name, [built / name / "bootstrap"], event, environment) for name, event in events.items()]


def peers(folder):
    image = {"ImageId": "ami-0123456789abcdef0"}
    python = folder / "venv/bin/python"
    return [
        Subject("boto3", [python, "-m", "awslambdaric", "handler.handler"], image, {"PYTHONPATH": str(HERE / "peers")}),
        Subject("node", [shutil.which("node"), folder / "peer.mjs"], image),
    ]


def measured(subject, stub, scheme, authorities, emulator):
    """One start: milliseconds, and mebibytes."""
    with tempfile.TemporaryFile() as log:
        found = started(subject, stub, scheme, authorities, emulator, log)
        log.seek(0)
        return found | {"init": float(ASKED_FOR_WORK.search(log.read())[1])}


def started(subject, stub, scheme, authorities, emulator, log):
    """The same, without what only the emulator's log tells."""
    port, api_port = free_port(), free_port()
    command = [
        emulator,
        "--log-level=info",
        f"--runtime-interface-emulator-address=127.0.0.1:{port}",
        f"--runtime-api-address=127.0.0.1:{api_port}",
        *subject.command,
    ]
    environment = {
        "PATH": os.environ["PATH"],
        "TZ": ":UTC",
        "AWS_ENDPOINT_URL": stub.urls[scheme],
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "AKIDBENCH",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_SESSION_TOKEN": "token",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_LAMBDA_FUNCTION_NAME": f"{STACK}-{subject.name}",
        "AWS_LAMBDA_FUNCTION_VERSION": "1",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_LAMBDA_FUNCTION_TIMEOUT": "60",
        "AWS_LAMBDA_LOG_FORMAT": "JSON",
        "_HANDLER": "bootstrap",
        "SSL_CERT_FILE": str(authorities),
        "AWS_CA_BUNDLE": str(authorities),
        "NODE_EXTRA_CA_CERTS": str(authorities),
        **subject.environment,
    }
    stub.calls.clear()
    process = subprocess.Popen(
        command,
        env=environment,
        stdout=log,
        stderr=subprocess.STDOUT,
        preexec_fn=lambda: os.sched_setaffinity(0, {1}),
    )
    try:
        # The emulator's own start is no part of it: it has another port to open, and then something left to do.
        connected(api_port).close()
        connection = connected(port)
        time.sleep(SETTLE_SECONDS)
        body = json.dumps(subject.event)
        first, of_calls = invoked(connection, body, stub)
        if not stub.calls:
            raise RuntimeError(f"{subject.name} has not called AWS")
        before = cpu_ms(process.pid)
        warm = [invoked(connection, body, stub) for _ in range(WARM)]
        cpu = (cpu_ms(process.pid) - before) / WARM
        peak = max(map(peak_mib, descendants(process.pid)))
    finally:
        # The program, too: left to notice that its emulator is gone, it would still end while the next one starts.
        for pid in [*descendants(process.pid), process.pid]:
            os.kill(pid, signal.SIGKILL)
        process.wait()
    above = statistics.median(taken - calls for taken, calls in warm)
    return {
        "first": first,
        "warm": statistics.median(taken for taken, _ in warm),
        "above": above,
        "cpu": cpu,
        "peak": peak,
    }


def invoked(connection, body, stub):
    """Milliseconds until the answer, and those of them that AWS took."""
    done = len(stub.calls)
    begun = time.perf_counter()
    connection.request("POST", PATH, body)
    connection.getresponse().read()
    taken = time.perf_counter() - begun
    stub.settle()
    return 1000 * taken, 1000 * sum(stub.calls[done:])


def connected(port):
    for _ in range(2000):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            connection.connect()
            return connection
        except OSError:
            time.sleep(0.002)
    raise RuntimeError("the emulator does not listen")


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def descendants(pid):
    children = pathlib.Path(f"/proc/{pid}/task").glob("*/children")
    found = [int(child) for listed in children for child in listed.read_text().split()]
    return found + [one for child in found for one in descendants(child)]


def cpu_ms(emulator):
    """What the program and what it has started have worked so far, without the emulator."""
    tasks = (path for pid in descendants(emulator) for path in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat"))
    return sum(int(path.read_text().split()[0]) for path in tasks) / 1e6


def peak_mib(pid):
    [line] = [one for one in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if one.startswith("VmHWM")]
    return int(line.split()[1]) / 1024


def row(name, runs, target):
    """Medians and quartiles."""
    found = {}
    for scheme in ("http", "https"):
        for measure, unit in (("init", "ms"), ("first", "ms"), ("warm", "ms"), ("peak", "mib")):
            note(found, f"{scheme}_{measure}_{unit}", [one[measure] for one in runs[name, scheme]])
    note(found, "warm_above_calls_ms", [one["above"] for one in runs[name, "https"]])
    note(found, "warm_cpu_ms", [one["cpu"] for one in runs[name, "https"]])
    package = target / "package" / f"{name}-x86_64.zip"
    if package.exists():
        found["zip_mib"] = round(package.stat().st_size / 2**20, 2)
    return found


def note(found, measure, values):
    low, middle, high = statistics.quantiles(values, n=4) if len(values) > 1 else values * 3
    found[measure] = round(middle, 2)
    found[f"{measure}_quartiles"] = [round(low, 2), round(high, 2)]


def compare(rows):
    """Each function with the peers of the same run."""
    boto3, node = rows["boto3"], rows["node"]
    for name, found in rows.items():
        if name in PEERS:
            continue
        found["https_over_boto3"] = round(found["https_first_ms"] / boto3["https_first_ms"], 4)
        found["https_over_node"] = round(found["https_first_ms"] / node["https_first_ms"], 4)
        found["http_over_boto3"] = round(found["http_first_ms"] / boto3["http_first_ms"], 4)
        found["https_peak_over_boto3"] = round(found["https_peak_mib"] / boto3["https_peak_mib"], 4)


def show(rows):
    columns = dict.fromkeys(key for found in rows.values() for key in found if "quartiles" not in key)
    print(f"{'':18}" + "".join(f"{column:>22}" for column in columns))
    for name, found in rows.items():
        print(f"{name:18}" + "".join(f"{found.get(column, ''):>22}" for column in columns))


if __name__ == "__main__":
    main()

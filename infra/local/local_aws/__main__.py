"""python -m local_aws serve | demo"""

import argparse
import os
import pathlib
import signal
import sys
import threading

ROOT = pathlib.Path(__file__).resolve().parents[3]
RECEIVERS = "222222222222,333333333333"


def main():
    parser = argparse.ArgumentParser(prog="local_aws", description="AMI Bakery's local AWS")
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="start it, deploy the stack, and stay in the foreground")
    demo = commands.add_parser("demo", help="bake an image for two receivers, live in the terminal")
    for command in (serve, demo):
        command.add_argument(
            "--functions", type=pathlib.Path, default=ROOT / "target/debug", help="the built functions"
        )
        command.add_argument("--dir", type=pathlib.Path, help="where logs go")
    serve.add_argument("--no-stack", action="store_true", help="only AWS, nothing deployed")
    serve.add_argument("--emulator", type=pathlib.Path, default=_emulators(), help="where Lambda's emulator is")
    arguments = parser.parse_args()
    if arguments.command == "demo":
        from .demo import run

        sys.exit(run(arguments))
    _serve(arguments)


def _emulators():
    """Beside the virtual environment that this runs in, as `setup.sh` puts it."""
    return pathlib.Path(sys.prefix).parent / "rie"


def _serve(arguments):
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())

    from . import first_steps
    from .functions import Host
    from .server import Application
    from .wire import Server

    application = Application()
    server = Server(application, int(os.environ.get("LOCAL_AWS_PORT", "4566")))
    server.start()
    endpoint = f"http://127.0.0.1:{server.port}"
    work = (arguments.dir or ROOT / f"target/local-aws/run-{server.port}").resolve()
    work.mkdir(parents=True, exist_ok=True)
    host = Host(endpoint, arguments.functions.resolve(), work, arguments.emulator)
    try:
        application.install(endpoint, host)
        receivers = [account for account in os.environ.get("LOCAL_AWS_RECEIVERS", RECEIVERS).split(",") if account]
        if not arguments.no_stack:
            from . import stack

            stack.deploy(ROOT / "infra", host.built, receivers)
        application.ready = True
        print(f"local AWS ready: {endpoint} (owner 111111111111, receivers {', '.join(receivers)})", flush=True)
        first_steps.print_in_terminal(endpoint, deployed=not arguments.no_stack)
        # The signal may reach another thread, and then nothing but time wakes this one.
        while not ended.wait(0.5):
            pass
    finally:
        host.close()


if __name__ == "__main__":
    main()

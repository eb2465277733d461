"""python -m local_aws serve | warm | demo"""

import argparse
import pathlib
import sys

from .serving import ROOT, default_emulators, serve


def main():
    parser = argparse.ArgumentParser(prog="local_aws", description="AMI Bakery's local AWS")
    commands = parser.add_subparsers(dest="command", required=True)
    serving = commands.add_parser("serve", help="start it, deploy the stack, and stay in the foreground")
    warm = commands.add_parser("warm", help="run a command whose tests get copies of one that has the stack deployed")
    demo = commands.add_parser("demo", help="bake an image for two receivers, live in the terminal")
    for command in (serving, warm, demo):
        command.add_argument(
            "--functions", type=pathlib.Path, default=ROOT / "target/debug", help="the built functions"
        )
        command.add_argument("--dir", type=pathlib.Path, help="where logs go")
    for command in (serving, warm):
        command.add_argument("--no-stack", action="store_true", help="only AWS, nothing deployed")
        command.add_argument(
            "--emulator", type=pathlib.Path, default=default_emulators(), help="where Lambda's emulator is"
        )
    warm.add_argument("run", nargs="+", metavar="-- COMMAND", help="what is run meanwhile")
    arguments = parser.parse_args()
    if arguments.command == "demo":
        from .demo import run

        sys.exit(run(arguments))
    if arguments.command == "warm":
        from .warm import warm as run_warm

        sys.exit(run_warm(arguments))
    serve(arguments)


if __name__ == "__main__":
    main()

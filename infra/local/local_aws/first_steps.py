"""What `make local` prints in a terminal: settings for the AWS CLI, and a first command."""

import sys

from . import accounts


def print_in_terminal(endpoint, deployed):
    """Prints the text if standard output is a terminal. A program reads the line before and may then close the pipe."""
    if sys.stdout.isatty():
        print(text(endpoint, deployed), flush=True)


def text(endpoint, deployed):
    """Settings for another terminal, and a first command to type there."""
    region = accounts.REGION
    machine = f"arn:{accounts.PARTITION}:states:{region}:{accounts.OWNER}:stateMachine:ami-bakery-bake"
    first = (
        f"aws stepfunctions list-executions --state-machine-arn {machine}"
        if deployed
        else "aws sts get-caller-identity"
    )
    return f"""
In another terminal, for the AWS CLI and every SDK (an older AWS CLI reads AWS_DEFAULT_REGION):

  export AWS_ENDPOINT_URL={endpoint}
  export AWS_REGION={region} AWS_DEFAULT_REGION={region}
  export AWS_ACCESS_KEY_ID=owner AWS_SECRET_ACCESS_KEY=any

and then, for example:

  {first}

Ctrl-C ends it, and everything in it. infra/local/README.md tells what else it can do.
"""

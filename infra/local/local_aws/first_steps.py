"""What a person needs who has just started the local AWS in a terminal."""

import sys

from . import accounts


def tell(endpoint, deployed):
    """Writes it below the line that says that the local AWS is ready, for a person alone: programs read that line, and
    then listen no more."""
    if sys.stdout.isatty():
        print(text(endpoint, deployed), flush=True)


def text(endpoint, deployed):
    """Settings for another terminal, and a first command to type there."""
    region = accounts.REGION
    machine = f"arn:aws:states:{region}:{accounts.OWNER}:stateMachine:ami-bakery-bake"
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

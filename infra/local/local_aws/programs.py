"""What a function runs, and what it is told."""

import io
import math
import os
import zipfile

from .clock import clock


def environment(function, session, endpoint):
    """https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html"""
    name = function.function_name
    return {
        "PATH": os.environ["PATH"],
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": function.region,
        "AWS_DEFAULT_REGION": function.region,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_VERSION": str(function.version),
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_size),
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{name}",
        "AWS_LAMBDA_LOG_FORMAT": "JSON",
        # The emulator counts the machine's seconds.
        "AWS_LAMBDA_FUNCTION_TIMEOUT": str(math.ceil(int(function.timeout) / clock.busy_speed)),
        "_HANDLER": function.handler or "bootstrap",
        **{key: str(value) for key, value in (function.environment_vars or {}).items()},
        "AWS_ACCESS_KEY_ID": session.access_key_id,
        "AWS_SECRET_ACCESS_KEY": session.secret_access_key,
        "AWS_SESSION_TOKEN": session.session_token,
    }


def built_program(built, name):
    """A function of this repository, in the folder that cargo or cargo-lambda built it into."""
    for found in (built / name, built / name / "bootstrap"):
        if found.is_file():
            return found
    raise FileNotFoundError(f"the function {name} is not built in {built}: make build, or make package to measure it")


def program_of(function, host):
    """What a function runs: one that comes from the stack's bucket runs where it was built, it is large; else what is
    in its package."""
    if "S3Key" in function.code:
        return built_program(host.built, function.code["S3Key"])
    folder = host.work / "code" / f"{function.function_name}-{function.code_sha_256.replace('/', '_')[:16]}"
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "bootstrap"
    program.write_bytes(zipfile.ZipFile(io.BytesIO(function.code_bytes)).read("bootstrap"))
    program.chmod(0o755)
    return program

"""The documents that commands run: AWS's own, and those of the account."""

from . import pages
from .errors import ssm
from .registry import rule
from .timing import COMMAND_SECONDS

# AWS's own, and the platforms that they are for.
LINUX, WINDOWS = {"Linux"}, {"Windows"}
OF_AWS = {
    "AWS-ConfigureAWSPackage": LINUX | WINDOWS,
    "AWS-InstallApplication": WINDOWS,
    "AWS-RunPatchBaseline": LINUX | WINDOWS,
    "AWS-RunPowerShellScript": LINUX | WINDOWS,
    "AWS-RunRemoteScript": LINUX | WINDOWS,
    "AWS-RunShellScript": LINUX,
    "AWS-UpdateSSMAgent": LINUX | WINDOWS,
    "AWSEC2-RunSysprep": WINDOWS,
}
SYSPREP = "AWSEC2-RunSysprep"
NAMES = ("seals", "fails", "seconds")

_behavior = {}


def set_documents(documents):
    """What running a document does: `{"Seal": {"seals": true, "fails": false, "seconds": 20}}`. One that seals shuts
    the instance down when it is through; AWSEC2-RunSysprep does so by itself."""
    for name, behavior in documents.items():
        unknown = set(behavior) - set(NAMES)
        if unknown:
            raise ValueError(f"{name}: not known: {', '.join(sorted(unknown))}")
    _behavior.clear()
    _behavior.update(documents)


def documents():
    return {name: dict(behavior) for name, behavior in _behavior.items()}


def behavior_of(name):
    """Whether a document seals, whether it fails, and how long it runs."""
    behavior = {"seals": name == SYSPREP, "fails": False, "seconds": COMMAND_SECONDS} | _behavior.get(name, {})
    return behavior["seals"], behavior["fails"], behavior["seconds"]


def find(backend, asked):
    """The name of the document that is asked for by name or ARN."""
    name = asked.rpartition("document/")[2] if asked.startswith("arn:") else asked
    if name not in OF_AWS and name not in backend._documents:
        _missing(asked)
    return name


@rule("command-document-exists", pages.ssm("SendCommand"))
def _missing(name):
    """A command runs a document that exists and that the account may use."""
    raise ssm("InvalidDocument", f"Document with name {name} does not exist.")


@rule("command-document-platform", pages.ssm("SendCommand"))
def check_platform(name, instance):
    """A document runs on the platforms that it is for."""
    platform = "Windows" if instance.platform == "windows" else "Linux"
    if platform not in OF_AWS.get(name, LINUX | WINDOWS):
        raise ssm(
            "UnsupportedPlatformType",
            f"The document {name} does not support the platform type {platform} of {instance.id}.",
        )


def forget():
    _behavior.clear()

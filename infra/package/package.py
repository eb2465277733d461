"""Builds what is deployed: `make package`.

In target/package, for each architecture: a zip a function, meant to be the same bytes wherever they are built,
and a template that names them; an SBOM a function, as CycloneDX writes it; and SHA256SUMS of all.
"""

import argparse
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
FUNCTIONS = sorted(path.parent.name for path in ROOT.glob("functions/*/Cargo.toml"))
#: The oldest date that a zip can hold: a file's own would differ from build to build.
NO_DATE = (1980, 1, 1, 0, 0, 0)
EXECUTABLE = 0o755 << 16


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", type=pathlib.Path, required=True, help="cargo's target directory")
    parser.add_argument("--architectures", nargs="+", default=["arm64", "x86_64"], choices=["arm64", "x86_64"])
    arguments = parser.parse_args()
    out = arguments.target.resolve() / "package"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    for architecture in arguments.architectures:
        build(architecture, arguments.target.resolve(), out)
        template(architecture, out)
    for definition in ROOT.glob("statemachines/*.asl.json"):
        shutil.copy(definition, out)
    for file in ("infra/receiver.yaml", "statemachines/request.schema.json"):
        shutil.copy(ROOT / file, out)
    sbom(out)
    files = sorted(path for path in out.rglob("*") if path.is_file())
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(out)}\n" for path in files]
    (out / "SHA256SUMS").write_text("".join(lines))
    print("".join(f"{path.stat().st_size:>10,}  {path.relative_to(out)}\n" for path in files), end="")


def build(architecture, target, out):
    """A zip a function, each with nothing but its `bootstrap`."""
    binaries = target / "lambda" / architecture
    flag = {"arm64": "--arm64", "x86_64": "--x86-64"}[architecture]
    # The tests ask for more of the SDKs than the functions do, and cargo would give it to both.
    what = ["--workspace", "--exclude", "ami-bakery-tests"]
    ask = ["cargo", "lambda", "build", "--release", "--locked", *what, flag, "--lambda-dir", binaries]
    # Where it was built is told by no file: neither Rust's messages nor the C library's.
    places = {str(ROOT): "/ami-bakery", os.environ.get("CARGO_HOME", str(pathlib.Path.home() / ".cargo")): "/cargo"}
    rust = [f"--remap-path-prefix={old}={new}" for old, new in places.items()]
    c = [f"-ffile-prefix-map={old}={new}" for old, new in places.items()]
    env = {
        **os.environ,
        "CARGO_TARGET_DIR": str(target),
        "CARGO_ENCODED_RUSTFLAGS": "\x1f".join(rust),
        "CFLAGS": " ".join(c),
        "SOURCE_DATE_EPOCH": "315532800",
        # AWS-LC gathers entropy of CPU jitter for some 40 ms when a process first wants a random byte. It guards against
        # one more source failing; here the kernel and RDRAND or RNDR remain, and a function starts often.
        # https://aws.github.io/aws-lc-rs/resources.html#entropy-configuration
        "AWS_LC_SYS_NO_JITTER_ENTROPY": "1",
    }
    subprocess.run(ask, cwd=ROOT, env=env, check=True)
    for function in FUNCTIONS:
        with zipfile.ZipFile(
            out / f"{function}-{architecture}.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=9
        ) as zipped:
            entry = zipfile.ZipInfo("bootstrap", NO_DATE)
            entry.external_attr, entry.create_system, entry.compress_type = EXECUTABLE, 3, zipfile.ZIP_DEFLATED
            zipped.writestr(entry, (binaries / function / "bootstrap").read_bytes())


def template(architecture, out):
    """The template for `sam deploy`, with the zips in place of the sources."""
    text = (ROOT / "infra/template.yaml").read_text()
    text = re.sub(r"CodeUri: \.\./functions/(\S+)", rf"CodeUri: \1-{architecture}.zip", text)
    text = text.replace("DefinitionUri: ../statemachines/", "DefinitionUri: ")
    text = re.sub(r"    Metadata:\n      BuildMethod: \S+\n      BuildProperties:\n        Binary: \S+\n", "", text)
    text = re.sub(r"(  Architecture:\n(?:    .*\n)*?    Default: )\S+", rf"\g<1>{architecture}", text)
    assert "../" not in text and "BuildMethod" not in text, "the template has changed"
    (out / f"template-{architecture}.yaml").write_text(text)


def sbom(out):
    ask = ["cargo", "cyclonedx", "--format", "json", "--spec-version", "1.5", "--override-filename", "sbom"]
    subprocess.run(ask, cwd=ROOT, env={**os.environ, "SOURCE_DATE_EPOCH": "315532800"}, check=True)
    for made in [*ROOT.glob("functions/*/sbom.json"), *ROOT.glob("shared/sbom.json"), *ROOT.glob("tests/sbom.json")]:
        if made.parent.name in FUNCTIONS:
            # Where it was built is told by no file.
            text = made.read_text().replace(str(ROOT), "/ami-bakery")
            (out / f"{made.parent.name}.cdx.json").write_text(text)
        made.unlink()


if __name__ == "__main__":
    main()

"""Prints what deploy/aws holds as JSON: the templates as CloudFormation reads them, and the modules
of Terraform as its language is read."""

import json
import pathlib
import sys

import hcl2
from cfnlint.decode import cfn_yaml


def bare(value):
    """Without the quotes that the reader of Terraform's language leaves on."""
    if isinstance(value, dict):
        return {bare(k): bare(v) for k, v in value.items() if not k.startswith("__")}
    if isinstance(value, list):
        return [bare(item) for item in value]
    if isinstance(value, str) and value[:1] == value[-1:] == '"':
        return json.loads(value)
    return value


def module(folder):
    read = {"resources": [], "locals": {}, "variables": []}
    for file in sorted(folder.glob("*.tf")):
        with file.open() as text:
            said = hcl2.load(text)
        for one in bare(said.get("locals", [])):
            read["locals"] |= one
        read["variables"] += [name for one in bare(said.get("variable", [])) for name in one]
        for one in bare(said.get("resource", [])):
            read["resources"] += [[kind, name] for kind in one for name in one[kind]]
    return read


root = pathlib.Path(sys.argv[1])
print(
    json.dumps(
        {
            "cloudformation": {
                file.stem: cfn_yaml.load(str(file))
                for file in sorted((root / "cloudformation").glob("*.yaml"))
            },
            "terraform": {
                folder.name: module(folder)
                for folder in sorted((root / "terraform").iterdir())
                if folder.is_dir()
            },
        },
        default=str,
    )
)

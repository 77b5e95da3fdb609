"""template.yaml as CloudFormation gets it: translated by SAM, for the parameters of a deployment.

    python -m tools.translated      lint the templates, and their translation for every deployment

cfn-lint also translates the template, but then skips every resource whose name begins with that of a SAM
resource (``Api…``). It follows conditions both ways. Few parameters change SAM's output, so each different
output is linted once.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from local.template import load_template, translate_fast

ROOT = Path(__file__).resolve().parent.parent
#: Where `sam deploy` would put the code.
UPLOADED = "s3://jobticket-code/code.zip"
#: Parameters that only SAM reads leave no trace in its output.
IGNORED = ["W2001"]


def _deployments() -> dict[str, dict[str, str]]:
    """Return the parameters of each environment in samconfig.toml, and of one with every switch on."""
    config = tomllib.loads((ROOT / "samconfig.toml").read_text())
    listed = {
        name: settings["deploy"]["parameters"].get("parameter_overrides")
        for name, settings in config.items()
        if isinstance(settings, dict) and "deploy" in settings
    }
    environments = {
        name: dict(entry.split("=", 1) for entry in overrides)
        for name, overrides in listed.items()
        if overrides is not None
    }
    return {"defaults": {}, **environments, "every switch on": EVERY_SWITCH}


EVERY_SWITCH = {
    "Environment": "prod",
    "LogLevel": "DEBUG",
    "AllowPrivateHosts": "true",
    "PublicUrl": "https://tickets.example.com",
    "AnomalyBaseUrl": "https://app.example.com",
    "DefaultReturnUrl": "https://app.example.com/back",
    "ReturnOrigins": "https://app.example.com",
    "ReservedConcurrency": "20",
    "GradualDeployment": "true",
    "AlarmTopicArn": "arn:aws:sns:eu-central-1:123456789012:alarms",
    "DomainName": "tickets.example.com",
    "CertificateArn": "arn:aws:acm:eu-central-1:123456789012:certificate/1",
    "PrivateCaSecretArn": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:ca-1a2b3c",
    "PrivateCaHosts": "jira.example.com",
    "EncryptionKeyArn": "arn:aws:kms:eu-central-1:123456789012:key/2",
    "FormerEncryptionKeyArn": "arn:aws:kms:eu-central-1:123456789012:key/1",
}
DEPLOYMENTS = _deployments()


class _NoPolicies:
    """The managed policies that SAM would look up; the template uses no managed policy."""

    def load(self) -> dict[str, str]:
        return {}


def translated(parameters: Mapping[str, str]) -> dict[str, Any]:
    """Return SAM's translation of the template."""
    from samtranslator.translator.transform import transform  # takes a second, in every test run

    os.environ.setdefault("AWS_DEFAULT_REGION", "eu-central-1")  # SAM asks it for the partition
    logging.getLogger("samtranslator").setLevel(logging.ERROR)
    translate_fast()
    made: dict[str, Any] = transform(json.loads(_uploaded()), dict(parameters), _NoPolicies())
    return made


@cache
def _uploaded() -> str:
    """Return the template as `sam deploy` sends it."""
    template = load_template()
    for resource in template["Resources"].values():
        for name in ("CodeUri", "ContentUri"):
            if name in resource.get("Properties", {}):
                resource["Properties"][name] = UPLOADED
    return json.dumps(template)


def findings(text: str, *ignored: str) -> list[str]:
    """Return cfn-lint's findings about a template."""
    from cfnlint.api import lint
    from cfnlint.config import ManualArgs

    return [
        f"{match.rule.id} {match.message} at {'/'.join(map(str, match.path or ()))}"
        for match in lint(text, config=ManualArgs(ignore_checks=list(ignored)))
    ]


def main() -> int:
    """Print what is wrong with each of them."""
    found = {name: findings((ROOT / name).read_text()) for name in ("template.yaml", "account.yaml")}
    texts = {json.dumps(translated(parameters)): name for name, parameters in DEPLOYMENTS.items()}
    found |= {name: findings(text, *IGNORED) for text, name in texts.items()}
    for name, lines in found.items():
        for line in lines:
            print(f"{name}: {line}")
    return 1 if any(found.values()) else 0


if __name__ == "__main__":
    sys.exit(main())

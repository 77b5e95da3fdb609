"""samconfig.toml has a deployment for each environment, with its own name and tags."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from local.template import load_template

ROOT = Path(__file__).parents[3]
CONFIG = tomllib.loads((ROOT / "samconfig.toml").read_text())
PARAMETERS = load_template()["Parameters"]
ENVIRONMENTS = [name for name in PARAMETERS["Environment"]["AllowedValues"] if name != "local"]


def settings_of(environment: str) -> dict[str, Any]:
    settings: dict[str, Any] = CONFIG[environment]["deploy"]["parameters"]
    return settings


def overrides_of(environment: str) -> dict[str, str]:
    return dict(entry.split("=", 1) for entry in settings_of(environment)["parameter_overrides"])


@pytest.mark.parametrize("environment", ENVIRONMENTS)
class TestEnvironments:
    def test_has_a_stack_of_its_own_with_tags(self, environment: str) -> None:
        settings = settings_of(environment)
        assert settings["stack_name"] == f"jobticket-{environment}"
        assert settings["tags"] == ["application=jobticket", f"environment={environment}"]
        assert settings["capabilities"] == ["CAPABILITY_IAM"]

    def test_sets_parameters_that_there_are_to_values_that_they_take(self, environment: str) -> None:
        overrides = overrides_of(environment)
        assert overrides["Environment"] == environment
        for name, value in overrides.items():
            allowed = PARAMETERS[name].get("AllowedValues")
            assert allowed is None or value in map(str, allowed)

    def test_only_prod_deploys_by_and_by(self, environment: str) -> None:
        gradual = overrides_of(environment).get(
            "GradualDeployment", PARAMETERS["GradualDeployment"]["Default"]
        )
        assert gradual == ("true" if environment == "prod" else "false")


def test_validation_lints() -> None:
    assert CONFIG["default"]["validate"]["parameters"]["lint"] is True


@pytest.mark.parametrize("guide", ["docs/guides/deploy.md", "docs/security.md"])
def test_guides_deploy_what_there_is(guide: str) -> None:
    commands = re.findall(r"^(?: {4})?(sam deploy .*)$", (ROOT / guide).read_text(), re.MULTILINE)
    assert commands
    for command in commands:
        (environment,) = re.findall(r"--config-env (\S+)", command)
        assert environment in CONFIG or environment == '"$ENVIRONMENT"'
        (template,) = re.findall(r"--template-file (\S+)", command)
        assert template == ".build/deploy/template.yaml" or (ROOT / template).is_file()


def test_the_log_role_outlives_the_stack_that_makes_it() -> None:
    """Every API of the account and region logs through it."""
    role = load_template(ROOT / "account.yaml")["Resources"]["ApiGatewayLogRole"]
    assert (role["DeletionPolicy"], role["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")

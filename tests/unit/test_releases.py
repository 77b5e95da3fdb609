"""What is deployed takes effect: the alias gets a version with the new values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from samtranslator.translator.transform import transform

from local.template import TEMPLATE, load_template, resources_of_type
from tools.package import ROOT, built_template, package

FUNCTIONS = resources_of_type(load_template(), "AWS::Serverless::Function")


class NoManagedPolicies:
    def load(self) -> dict[str, str]:
        return {}


def versions(template: dict[str, Any], **parameters: str) -> set[str]:
    """Return the versions that SAM makes of a template, by their logical ids: another id, another version."""
    for resource in template["Resources"].values():
        for code in ("CodeUri", "ContentUri"):
            if code in resource.get("Properties", {}):
                resource["Properties"][code] = "s3://bucket/key"
    made = transform(template, parameters, NoManagedPolicies())
    return {name for name, each in made["Resources"].items() if each["Type"] == "AWS::Lambda::Version"}


def packaged(tmp_path: Path, release: str) -> dict[str, Any]:
    path = tmp_path / "template.yaml"
    path.write_text(built_template(TEMPLATE.read_text(), release))
    return load_template(path)


@pytest.fixture(autouse=True)
def region(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")


def test_each_package_makes_a_new_version_of_every_function(tmp_path: Path) -> None:
    first, again, second = (versions(packaged(tmp_path, release)) for release in ("1", "1", "2"))
    assert len(first) == len(FUNCTIONS)
    assert first == again
    assert not first & second


def test_settings_lie_where_sam_deploy_looks_for_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tools.package.build_layers", lambda _target: {})
    monkeypatch.setattr(
        "tools.package.build_function", lambda _source, folder, _target: folder.mkdir(parents=True)
    )
    template = package(tmp_path / "deploy")
    assert template.with_name("samconfig.toml").read_text() == (ROOT / "samconfig.toml").read_text()


def test_a_parameter_alone_makes_none(tmp_path: Path) -> None:
    """Should SAM learn to, RELEASE may go."""
    changed = versions(packaged(tmp_path, "1"), LogLevel="DEBUG", PublicUrl="https://jobticket.example")
    assert changed == versions(packaged(tmp_path, "1"))

"""What is deployed takes effect: the alias gets a version with the new values."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from local.deploy import release_of
from local.template import TEMPLATE, load_template, resources_of_type
from tools.package import ROOT, built_template, package

FUNCTIONS = resources_of_type(load_template(), "AWS::Serverless::Function")


class NoManagedPolicies:
    def load(self) -> dict[str, str]:
        return {}


def uploaded(template: dict[str, Any], layers: str = "s3://bucket/key") -> dict[str, Any]:
    """Put the addresses of uploaded code into a template."""
    for resource in template["Resources"].values():
        for name, address in (("CodeUri", "s3://bucket/key"), ("ContentUri", layers)):
            if name in resource.get("Properties", {}):
                resource["Properties"][name] = address
    return template


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("packages")


@pytest.fixture(scope="module")
def versions(folder: Path) -> Callable[..., frozenset[str]]:
    """Return the logical ids of SAM's versions of a package: a different id is a new version."""

    @cache  # SAM takes seconds
    def made(release: str, *, layers: str = "s3://bucket/key", **parameters: str) -> frozenset[str]:
        from samtranslator.translator.transform import transform  # takes a second, in every test run

        path = folder / "template.yaml"
        path.write_text(built_template(TEMPLATE.read_text(), release))
        resources = transform(uploaded(load_template(path), layers), parameters, NoManagedPolicies())
        versions = resources["Resources"].items()
        return frozenset(name for name, each in versions if each["Type"] == "AWS::Lambda::Version")

    return made


def test_each_package_makes_a_new_version_of_every_function(versions: Callable[..., frozenset[str]]) -> None:
    first, second = versions("1"), versions("2")
    assert len(first) == len(FUNCTIONS)
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


def test_a_layer_alone_makes_none(versions: Callable[..., frozenset[str]]) -> None:
    """Most of the code is in a layer. If SAM learns this, the local stack need not help."""
    assert versions("1", layers="s3://bucket/changed") == versions("1")


def test_the_local_stack_makes_a_release_of_a_changed_layer_or_parameter() -> None:
    """`make run` on the data of an earlier version must run the new code."""
    parameters = [{"ParameterKey": "PublicUrl", "ParameterValue": "http://127.0.0.1:8000"}]
    first, again, layer = (
        release_of(uploaded(load_template(), layers), parameters)
        for layers in ("s3://bucket/one", "s3://bucket/one", "s3://bucket/two")
    )
    other = release_of(uploaded(load_template(), "s3://bucket/one"), [])
    assert first == again
    assert len({first, layer, other}) == 3


def test_a_parameter_alone_makes_none(versions: Callable[..., frozenset[str]]) -> None:
    """If SAM learns this, RELEASE can go."""
    assert versions("1", LogLevel="DEBUG", PublicUrl="https://jobticket.example") == versions("1")

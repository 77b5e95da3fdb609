"""How uv is told of pip's configuration."""

from __future__ import annotations

import pytest

from tools.install import uv_environment


def test_mirrors_certificates_and_folders_are_passed_on() -> None:
    told = uv_environment(
        "global.index-url='https://mirror.example.com/simple'\n"
        "global.extra-index-url='\\nhttps://a.example.com/simple\\nfile:///srv/simple'\n"
        "global.find-links='/srv/wheels /srv/more'\n"
        "global.cert='/etc/ca.crt'\n"
        "global.constraint='/etc/constraints.txt'\n"
    )
    assert told == {
        "UV_DEFAULT_INDEX": "https://mirror.example.com/simple",
        "UV_INDEX": "https://a.example.com/simple file:///srv/simple",
        "UV_FIND_LINKS": "/srv/wheels,/srv/more",
        "SSL_CERT_FILE": "/etc/ca.crt",
    }


def test_the_environment_wins_over_the_command_and_that_over_the_file() -> None:
    lines = [
        ":env:.index-url='https://env/'",
        "global.index-url='https://file/'",
        "install.index-url='https://command/'",
    ]
    assert uv_environment("\n".join(lines)) == {"UV_DEFAULT_INDEX": "https://env/"}
    assert uv_environment("\n".join(lines[1:])) == {"UV_DEFAULT_INDEX": "https://command/"}
    assert uv_environment("wheel.index-url='https://other/'") == {}


@pytest.mark.parametrize("setting", ["client-cert='/etc/me.pem'", "no-index='true'", "no-binary=':all:'"])
def test_what_uv_has_no_word_for_is_left_to_pip(setting: str) -> None:
    assert uv_environment(f"global.{setting}") is None

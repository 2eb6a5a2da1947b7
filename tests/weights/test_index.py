"""Where packages come from is what pip is told."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from megafs_video.errors import WeightsError
from megafs_video.weights.index import Settings, connect, find_archive, read_settings
from tests.weights.archives import TINY_TABLE


def test_pip_s_variables_are_honoured(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://mirror.example/simple")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://a.example/ https://b.example/")
    monkeypatch.setenv("PIP_FIND_LINKS", "/one /two")
    monkeypatch.setenv("PIP_CERT", "/ca.pem")
    monkeypatch.setenv("PIP_TIMEOUT", "7")
    assert read_settings() == Settings(
        index_url="https://mirror.example/simple",
        extra_index_urls=("https://a.example/", "https://b.example/"),
        find_links=("/one", "/two"),
        no_index=True,
        certificate="/ca.pem",
        timeout_seconds=7.0,
        retries=0,
    )


def test_pip_s_file_is_honoured_and_a_variable_is_stronger(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "pip.conf"
    config.write_text(
        "[global]\nindex-url = https://global.example/\ntimeout = 9\nretries = 2\n"
        "[download]\nindex-url = https://download.example/\n"
    )
    monkeypatch.setenv("PIP_CONFIG_FILE", str(config))
    settings = read_settings()
    assert settings.index_url == "https://download.example/"
    assert (settings.timeout_seconds, settings.retries) == (9.0, 0)


def test_the_variables_count_where_there_is_no_pip(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    monkeypatch.setenv("PIP_INDEX_URL", "https://mirror.example/simple")
    assert read_settings() == Settings(
        index_url="https://mirror.example/simple", no_index=True, retries=0
    )


def test_a_setting_that_is_no_number_is_named(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_RETRIES", "often")
    with pytest.raises(WeightsError, match="pip's setting retries is 'often'"):
        read_settings()


def test_a_certificate_that_is_not_there_is_named() -> None:
    with (
        pytest.raises(WeightsError, match=r"certificate file /no/ca\.pem cannot be read"),
        connect(Settings(certificate="/no/ca.pem")),
    ):
        pass


def test_a_password_is_not_shown() -> None:
    settings = Settings(index_url="http://user:secret@127.0.0.1:1/simple")
    with connect(settings) as client, pytest.raises(WeightsError) as caught:
        find_archive(TINY_TABLE[0], settings, client)
    assert "127.0.0.1:1/simple" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_folder_that_is_not_there_is_passed_over(archives: Path) -> None:
    settings = Settings(find_links=("/no/such/folder", str(archives)), no_index=True)
    with connect(settings) as client:
        found = find_archive(TINY_TABLE[0], settings, client)
    assert found.path == archives / "tiny-1.0-py3-none-any.whl"

"""Settings from TOML: the defaults, what may be set, and what is refused by name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from megafs_video.errors import ConfigError, InputNotFoundError
from megafs_video.training.config import EncoderConfig, LoopConfig, TransferConfig, read_config


def write(folder: Path, text: str) -> Path:
    path = folder / "run.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("kind", [EncoderConfig, TransferConfig])
def test_no_file_means_the_defaults(tmp_path: Path, kind: type[LoopConfig]) -> None:
    assert read_config(None, kind) == kind()
    assert read_config(write(tmp_path, ""), kind) == kind()


def test_a_file_changes_what_it_names(tmp_path: Path) -> None:
    path = write(tmp_path, "seed = 7\nweight_identity = 2.5\n# a remark\nbatch = 12")
    wanted = replace(TransferConfig(), seed=7, weight_identity=2.5, batch=12)
    assert read_config(path, TransferConfig) == wanted


def test_a_whole_number_will_do_for_a_fraction(tmp_path: Path) -> None:
    found = read_config(write(tmp_path, "clip_norm = 2"), LoopConfig)
    # A run is recognised by the text of its settings: 2 and 2.0 must be one setting.
    assert repr(found) == repr(replace(LoopConfig(), clip_norm=2.0))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("colour = 1", "sets colour, which is not one of: seed, num_steps"),
        ("num_steps = 1.5", "sets num_steps to 1.5, wanted a value of type int"),
        ("num_steps = true", "sets num_steps to True, wanted a value of type int"),
        ("learning_rate = 'fast'", "sets learning_rate to 'fast', wanted a value of type float"),
        ("log_every = 0", "cannot be used: log_every is 0, wanted a number from 1 up"),
        ("learning_rate = -1.0", "learning_rate is -1.0, wanted a number from 0 up"),
        ("clip_norm = nan", "clip_norm is nan"),
        ("ema_decay = 1.0", "ema_decay is 1.0, wanted less than 1"),
        ("seed = ", "is not a TOML file"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        read_config(write(tmp_path, text), LoopConfig)
    assert "run.toml" in str(caught.value)
    assert caught.value.exit_code == 50


def test_codes_without_length_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"code_length is 0\.0, wanted more"):
        read_config(write(tmp_path, "code_length = 0"), TransferConfig)


@pytest.mark.parametrize("name", ["mixed_share", "drawn_share", "rare_share"])
def test_a_share_is_at_most_all(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=rf"{name} is 1\.5, wanted a share from 0 to 1"):
        read_config(write(tmp_path, f"{name} = 1.5"), EncoderConfig)


def test_an_identity_loss_by_an_unknown_network_is_refused(tmp_path: Path) -> None:
    said = r"identity_network is 'edgeface', wanted arcface-mbf or sface"
    with pytest.raises(ConfigError, match=said):
        read_config(write(tmp_path, "identity_network = 'edgeface'"), TransferConfig)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="is not a TOML file"):
        read_config(path, LoopConfig)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputNotFoundError, match=r"missing\.toml cannot be read"):
        read_config(tmp_path / "missing.toml", LoopConfig)
    with pytest.raises(InputNotFoundError, match="cannot be read"):
        read_config(tmp_path, LoopConfig)

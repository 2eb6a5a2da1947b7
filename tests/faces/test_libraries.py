"""Libraries: what is missing is named, what is said is kept for the error."""

import os
from pathlib import Path

import pytest

from megafs_video.errors import SystemLibraryError, WeightsError
from megafs_video.faces import libraries
from megafs_video.faces.libraries import (
    SystemLibrary,
    check_model_file,
    missing_system_libraries,
    onnx_session_options,
    quiet,
    system_libraries,
)


@pytest.mark.parametrize(
    ("library", "package"),
    [
        ("libGL.so.1", "libgl1"),
        ("libEGL.so.1", "libegl1"),
        ("libGLESv2.so.2", "libgles2"),
        ("libgthread-2.0.so.0", "libglib2.0-0"),
    ],
)
@pytest.mark.parametrize("kind", [ImportError, OSError])
def test_a_missing_library_is_named_with_its_package(
    library: str, package: str, kind: type[Exception]
) -> None:
    said = f"{library}: cannot open shared object file: No such file or directory"
    with (
        pytest.raises(SystemLibraryError, match=f"{library} is missing; .*{package} ") as caught,
        system_libraries(),
    ):
        raise kind(said)
    assert caught.value.exit_code == 41


def test_an_unknown_library_is_named_too() -> None:
    with pytest.raises(SystemLibraryError, match=r"libodd.so.3 is missing"), system_libraries():
        raise OSError("libodd.so.3: cannot open shared object file")


def test_another_import_error_stays_what_it_is() -> None:
    with pytest.raises(ImportError, match="No module named 'cv3'"), system_libraries():
        raise ImportError("No module named 'cv3'")


def test_libraries_that_do_not_load_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    nowhere = SystemLibrary("libnowhere.so.9", "nobody", "libnowhere9")
    monkeypatch.setattr(libraries, "SYSTEM_LIBRARIES", (nowhere,))
    assert missing_system_libraries() == (nowhere,)


def test_other_systems_bring_their_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    assert missing_system_libraries() == ()


def test_chatter_is_kept_back(capfd: pytest.CaptureFixture[str]) -> None:
    with quiet():
        os.write(2, b"W0000 a warning from C++\n")
    os.write(2, b"later\n")
    assert capfd.readouterr().err == "later\n"


def test_what_was_said_before_an_error_is_shown(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(OSError, match="it broke"), quiet():
        os.write(2, b"E0000 why it broke\n")
        raise OSError("it broke")
    assert capfd.readouterr().err == "E0000 why it broke\n"


def test_a_missing_model_file_says_how_to_fetch_it(tmp_path: Path) -> None:
    with pytest.raises(
        WeightsError, match=r"gone\.onnx is missing; run: megafs-video models fetch"
    ):
        check_model_file(tmp_path / "gone.onnx")


def test_threads_come_from_the_argument() -> None:
    assert onnx_session_options(3).intra_op_num_threads == 3
    with pytest.raises(ValueError, match="num_threads is 0"):
        onnx_session_options(0)

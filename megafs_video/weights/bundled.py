"""Model files that we trained ourselves and ship: in the wheel, or in the repository's models/."""

from __future__ import annotations

from pathlib import Path

from megafs_video.errors import WeightsError
from megafs_video.weights.cache import sha256_of

SUMS_NAME = "SHA256SUMS"


def bundled_folder() -> Path:
    """The folder of shipped models; WeightsError if this installation has none."""
    package = Path(__file__).parents[1]
    for folder in (package / "models", package.parent / "models"):
        if (folder / SUMS_NAME).is_file():
            return folder
    raise WeightsError(
        f"this installation has no models/{SUMS_NAME} (looked in {package} and beside it); "
        "install megafs-video again"
    )


def bundled_names() -> tuple[str, ...]:
    """Shipped files, such as "mobile/encoder.safetensors"; WeightsError if there are none."""
    return tuple(read_sums(bundled_folder() / SUMS_NAME))


def bundled_card(model: str) -> str | None:
    """The card of a shipped model such as "mobile", or None if no model is called so."""
    if not any(name.startswith(f"{model}/") for name in bundled_names()):
        return None
    return (bundled_folder() / model / "README.md").read_text(encoding="utf-8")


def bundled_path(name: str, *, folder: Path | None = None) -> Path:
    """The path of a shipped file such as "mobile/encoder.safetensors", its sha256 checked.

    WeightsError if the list of sums does not name it, or it is missing or damaged.
    """
    folder = bundled_folder() if folder is None else folder
    sums = read_sums(folder / SUMS_NAME)
    if name not in sums:
        raise WeightsError(f"{folder / SUMS_NAME} does not list {name!r}; it lists {sorted(sums)}")
    path = folder / name
    if not path.is_file():
        raise WeightsError(f"{path} is missing; install megafs-video again")
    found = sha256_of(path)
    if found != sums[name]:
        raise WeightsError(
            f"{path} is damaged (sha256 {found[:8]}, wanted {sums[name][:8]}); "
            "install megafs-video again"
        )
    return path


def read_sums(path: Path) -> dict[str, str]:
    """File names and their sha256, from a file as ``sha256sum`` writes it."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise WeightsError(
            f"{path} cannot be read ({error}); install megafs-video again"
        ) from error
    sums: dict[str, str] = {}
    for line in lines:
        sha256, _, name = line.partition(" ")
        name = name[1:]  # a space for text or a star for binary
        if not line.strip():
            continue
        if len(sha256) != 64 or not name or set(sha256) - set("0123456789abcdef"):
            raise WeightsError(f"{path} has a line that is no sha256 and name: {line[:80]!r}")
        sums[name] = sha256
    return sums

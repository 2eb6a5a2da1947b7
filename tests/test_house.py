"""The house as HOUSE.md draws it: rooms, floors, and which way imports go."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
PACKAGE = REPOSITORY / "megafs_video"

# From the roof down; imports go from a floor to a lower one, never along it.
FLOORS = (
    {"__main__"},
    {"cli"},
    {"__init__"},  # the public names
    {"pipeline", "training", "evaluation", "datasets"},
    {"model"},
    {"assembly"},
    {"parts", "published", "engine"},
    {
        "networks",
        "trajectories",
        "geometry",
        "faces",
        "video",
        "weights",
        "allocator",
        "waiting",
        "devices",
        "pixels",
    },
    {"values"},
    {"checkpoint"},
    {"errors"},
)
MAX_LINES = 350  # the style guide asks for about 300
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "manager"}


def floor_of(room: str) -> int:
    """Number of the floor of a room, 0 being the roof."""
    for number, rooms in enumerate(FLOORS):
        if room in rooms:
            return number
    raise AssertionError(f"megafs_video/{room} stands on no floor: add it to FLOORS")


def room_of(module: Path) -> str:
    """The room in which a module of the package lives."""
    return module.relative_to(PACKAGE).parts[0].removesuffix(".py")


def modules() -> list[Path]:
    """Every Python file of the package."""
    return sorted(PACKAGE.rglob("*.py"))


def imports(tree: ast.AST, module: Path) -> Iterator[str]:
    """Full dotted names that a module imports, wherever the import stands in it.

    ``from megafs_video import values`` counts as megafs_video.values: the name may be a room.
    """
    package = ("megafs_video", *module.relative_to(PACKAGE).parts[:-1])
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            origin = ".".join((*base, *filter(None, [node.module])))
            yield from (f"{origin}.{alias.name}" for alias in node.names)


def imported_rooms(source: str, module: Path) -> Iterator[str]:
    """Rooms of the package that the source of a module reaches into."""
    for name in imports(ast.parse(source), module):
        top, _, rest = name.partition(".")
        if top == "megafs_video":
            room = rest.partition(".")[0]
            is_room = (PACKAGE / room).is_dir() or (PACKAGE / f"{room}.py").is_file()
            yield room if rest and is_room else "__init__"


def wrong_way(source: str, module: Path) -> list[str]:
    """Imports that go up a floor, or along it to another room."""
    home = room_of(module)
    return [
        f"{module.relative_to(REPOSITORY)} ({home}) imports {room}"
        for room in imported_rooms(source, module)
        if room != home and floor_of(room) <= floor_of(home)
    ]


def test_every_room_stands_on_a_floor() -> None:
    for module in modules():
        floor_of(room_of(module))


def test_imports_go_downwards_only() -> None:
    found = [line for module in modules() for line in wrong_way(module.read_text(), module)]
    assert found == []


@pytest.mark.parametrize(
    ("home", "source"),
    [
        ("networks/dims.py", "from megafs_video.pipeline import swap"),
        ("networks/dims.py", "from megafs_video import geometry"),
        ("networks/dims.py", "def f():\n    import megafs_video.video.read"),
        ("networks/dims.py", "from ..faces import detect"),
        ("values.py", "import megafs_video"),
        ("training/loop.py", "from megafs_video.evaluation import pose"),
    ],
)
def test_an_import_upwards_or_along_the_floor_is_seen(home: str, source: str) -> None:
    assert len(wrong_way(source, PACKAGE / home)) == 1


@pytest.mark.parametrize(
    ("home", "source"),
    [
        ("cli/swap.py", "from megafs_video.pipeline.swap import swap_video"),
        ("networks/dims.py", "from megafs_video.networks import generator"),
        ("networks/dims.py", "from . import generator\nimport torch"),
        ("model.py", "from megafs_video.weights import table"),
    ],
)
def test_an_import_downwards_or_inside_a_room_is_allowed(home: str, source: str) -> None:
    assert wrong_way(source, PACKAGE / home) == []


def test_only_the_video_room_imports_a_video_library() -> None:
    readers = {"av", "decord", "ffmpeg", "torchcodec"}
    found = [
        f"{module.relative_to(REPOSITORY)} imports {name}"
        for module in modules()
        if room_of(module) != "video"
        for name in imports(ast.parse(module.read_text()), module)
        if name.partition(".")[0] in readers
    ]
    assert found == []


def test_trajectories_know_no_torch_and_no_picture() -> None:
    found = [
        f"{module.relative_to(REPOSITORY)} imports {name}"
        for module in modules()
        if room_of(module) == "trajectories"
        for name in imports(ast.parse(module.read_text()), module)
        if name.partition(".")[0] in {"torch", "cv2", "PIL"}
    ]
    assert found == []


def file_openings(source: str, module: Path) -> list[str]:
    """Places in a source that open a file, or import what can."""
    tree = ast.parse(source)
    doors = {"io", "os", "pathlib", "pickle", "safetensors", "shutil", "tempfile"}
    opened = [name for name in imports(tree, module) if name.partition(".")[0] in doors]
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called == "open" or called.endswith((".load", ".save", ".open", ".fromfile")):
                opened.append(called)
    return [f"{module.relative_to(REPOSITORY)}: {name}" for name in opened]


def test_networks_never_open_a_file() -> None:
    networks = [module for module in modules() if room_of(module) == "networks"]
    assert [line for module in networks for line in file_openings(module.read_text(), module)] == []


@pytest.mark.parametrize("source", ["open('x')", "torch.load(p)", "from pathlib import Path"])
def test_an_opened_file_is_seen(source: str) -> None:
    assert len(file_openings(source, PACKAGE / "networks/dims.py")) == 1


def test_no_module_has_a_vague_name() -> None:
    roots = [PACKAGE, *(REPOSITORY / name for name in ("tests", "benchmarks", "examples"))]
    found = [
        str(path.relative_to(REPOSITORY))
        for root in roots
        for path in root.rglob("*")
        if path.stem.removeprefix("test_") in VAGUE_NAMES
    ]
    assert found == []


def test_a_module_fits_in_a_head() -> None:
    lengths = {m.relative_to(REPOSITORY): len(m.read_text().splitlines()) for m in modules()}
    assert {str(m): lines for m, lines in lengths.items() if lines > MAX_LINES} == {}


def modules_loaded_by(statements: str) -> set[str]:
    """Top-level names in sys.modules after a fresh interpreter ran the statements."""
    report = "\nimport sys; print('loaded:', *{name.partition('.')[0] for name in sys.modules})"
    run = subprocess.run(
        [sys.executable, "-c", statements + report],
        capture_output=True,
        text=True,
        check=True,
        cwd=REPOSITORY,
    )
    return set(run.stdout.rpartition("loaded:")[2].split())


HEAVY = {"torch", "cv2", "mediapipe", "scipy", "av", "insightface", "onnxruntime", "onnx", "numpy"}


VERBS = [
    *([], ["swap"], ["preview"], ["train"], ["models"], ["doctor"]),
    *(["evaluate", "pairs"], ["evaluate", "video"]),
]


@pytest.mark.parametrize("verb", VERBS)
def test_help_loads_nothing_heavy(verb: list[str]) -> None:
    call = f"from megafs_video.cli.main import app; app({[*verb, '--help']}, standalone_mode=False)"
    assert modules_loaded_by(call) & HEAVY == set()


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert modules_loaded_by("import megafs_video") & HEAVY == set()


def test_every_public_name_is_there() -> None:
    import megafs_video

    assert megafs_video.__all__
    for name in megafs_video.__all__:
        assert getattr(megafs_video, name) is not None

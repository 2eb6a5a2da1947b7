"""The assembled model: shapes, what is refused, and a mode that does not leak."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from megafs_video import assembly
from megafs_video import model as model_room
from megafs_video.errors import DeviceError, InputNotFoundError, MegafsError, WeightsError
from megafs_video.model import Model, load_model
from megafs_video.networks.dims import TINY, Dims
from megafs_video.networks.encoder import Encoder
from megafs_video.networks.frozen import ArcFace
from megafs_video.networks.generator import Generator
from megafs_video.networks.transfer import FaceTransfer, replace_codes
from megafs_video.values import Latents
from megafs_video.weights.cache import sha256_of
from megafs_video.weights.checkpoint import save_checkpoint
from tests.tiny import WITH_IDENTITY, random_latents, random_pixels, shaken, tiny_arcface

RESOLUTION = TINY.resolution


def make_model(
    *, has_transfer: bool = True, dtype: torch.dtype = torch.float32, arcface: ArcFace | None = None
) -> Model:
    dims = TINY if arcface is None else WITH_IDENTITY
    torch.manual_seed(0)
    return Model(
        name="tiny",
        dims=dims,
        device=torch.device("cpu"),
        dtype=dtype,
        hashes={},
        encoder=shaken(Encoder(dims)),
        transferrer=shaken(FaceTransfer(dims)) if has_transfer else None,
        generator=shaken(Generator(dims)),
        arcface=arcface,
        landmarks=None,
    )


@pytest.fixture(scope="module")
def model() -> Model:
    return make_model()


def test_a_face_is_encoded_transferred_and_drawn(model: Model) -> None:
    source = model.encode(random_pixels(1, 64))
    target = model.encode(random_pixels(3, 64, seed=1))
    assert (source.constant.shape, source.styles.shape) == ((1, 8, 4, 4), (1, 6, 8))
    swapped = model.transfer(source, target)
    assert torch.equal(swapped.constant, target.constant)
    pixels = model.generate(swapped)
    assert pixels.shape == (3, 3, RESOLUTION, RESOLUTION)
    assert pixels.dtype == torch.float32


def test_no_face_goes_all_the_way(model: Model) -> None:
    nobody = model.encode(random_pixels(0, 64))
    swapped = model.transfer(model.encode(random_pixels(1, 64)), nobody)
    assert model.generate(swapped).shape == (0, 3, RESOLUTION, RESOLUTION)


def test_without_a_swapper_the_high_codes_are_replaced() -> None:
    source, target = random_latents(1), random_latents(2, seed=1)
    found = make_model(has_transfer=False).transfer(source, target)
    assert torch.equal(found.styles, replace_codes(source, target, TINY.num_low).styles)


def test_the_encoder_hears_who_the_person_is() -> None:
    pixels = random_pixels(1, 64)
    one = make_model(arcface=tiny_arcface()).encode(pixels)
    other = make_model(arcface=shaken(tiny_arcface(), seed=5)).encode(pixels)
    assert not torch.allclose(one.styles, other.styles)


def test_half_precision_inside_is_float32_outside() -> None:
    exact, half = make_model(), make_model(dtype=torch.bfloat16)
    pixels, latents = random_pixels(2, 64), random_latents(2)
    for found, wanted in [
        (half.encode(pixels).styles, exact.encode(pixels).styles),
        (half.transfer(latents, latents).styles, exact.transfer(latents, latents).styles),
        (half.generate(latents), exact.generate(latents)),
    ]:
        assert found.dtype == torch.float32
        assert not torch.equal(found, wanted)
        # bfloat16 keeps 8 bits; errors of several layers add up.
        torch.testing.assert_close(found, wanted, atol=0.1 * float(wanted.abs().max()), rtol=0)


@pytest.mark.parametrize("shape", [(1, 3, 32, 32), (3, 64, 64), (1, 1, 64, 64)])
def test_pixels_of_another_shape_are_refused(model: Model, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"pixels has shape .* wanted \[any, 3, 64, 64\]"):
        model.encode(torch.zeros(shape))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (Latents(torch.zeros(1, 8, 4, 4), torch.zeros(1, 7, 8)), r"styles has shape \[1, 7, 8\]"),
        (Latents(torch.zeros(1, 9, 4, 4), torch.zeros(1, 6, 8)), r"constant has shape \[1, 9,"),
    ],
)
def test_codes_of_another_model_are_refused(model: Model, wrong: Latents, said: str) -> None:
    mine = random_latents(1)
    with pytest.raises(ValueError, match=said):
        model.generate(wrong)
    with pytest.raises(ValueError, match=said):
        model.transfer(mine, wrong)
    with pytest.raises(ValueError, match=said):
        model.transfer(wrong, mine)


def test_two_sources_for_three_targets_are_refused(model: Model) -> None:
    with pytest.raises(ValueError, match="source holds 2 faces, wanted 1 or 3"):
        model.transfer(random_latents(2), random_latents(3))


def check_calls(model: Model) -> Tensor:
    """The three calls; nothing of inference mode is left after any."""
    latents = model.encode(random_pixels(1, 64))
    assert not torch.is_inference_mode_enabled()
    latents = model.transfer(latents, latents)
    assert not torch.is_inference_mode_enabled()
    pixels = model.generate(latents)
    assert not torch.is_inference_mode_enabled()
    assert torch.is_grad_enabled()
    assert pixels.is_inference()
    return pixels


def test_inference_mode_does_not_leak(model: Model) -> None:
    check_calls(model)
    with pytest.raises(ValueError, match="pixels"):
        model.encode(torch.zeros(1))
    assert not torch.is_inference_mode_enabled()


def test_another_thread_may_call_the_model(model: Model) -> None:
    found: list[Tensor] = []
    thread = threading.Thread(target=lambda: found.append(check_calls(model)))
    thread.start()
    thread.join()
    assert torch.equal(found[0], check_calls(model))


# Loading: a folder of tiny checkpoints, and files in the place of the published ones.


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as training makes it; its generator and face recognition are tiny too."""

    def ensure(names: Iterable[str], *, offline: bool) -> dict[str, Path]:
        paths = {name: tmp_path / name for name in names}
        for name, path in paths.items():
            path.write_text(name)
        return paths

    def build_generator(xml: Path, bin: Path, dims: Dims) -> Generator:
        return shaken(Generator(dims))

    monkeypatch.setattr(assembly, "ensure", ensure)
    monkeypatch.setattr(assembly, "build_generator", build_generator)
    monkeypatch.setattr(assembly, "build_arcface", lambda path: tiny_arcface())
    save(tmp_path, Encoder(WITH_IDENTITY), "encoder", WITH_IDENTITY)
    save(tmp_path, FaceTransfer(WITH_IDENTITY), "transfer", WITH_IDENTITY)
    return tmp_path


def save(folder: Path, module: nn.Module, kind: str, dims: Dims) -> None:
    path = folder / f"{kind}.safetensors"
    tensors = {
        name: tensor.half() if tensor.is_floating_point() else tensor
        for name, tensor in module.state_dict().items()
    }
    save_checkpoint(path, tensors, kind=kind, dims_json=dims.to_json(), card={})


@pytest.fixture
def torch_threads() -> Iterator[None]:
    """The number of torch's threads is put back after the test."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_a_folder_of_checkpoints_is_a_model(folder: Path) -> None:
    model = load_model(folder, device="cpu")
    assert model.dims == WITH_IDENTITY
    assert model.name == str(folder)
    assert model.dtype == torch.float32
    latents = model.encode(random_pixels(2, 64))
    assert model.generate(model.transfer(latents, latents)).shape == (2, 3, 32, 32)
    assert latents.styles.dtype == torch.float32  # stored as float16


def test_every_weight_file_is_named_with_its_sum(folder: Path) -> None:
    hashes = load_model(str(folder), device="cpu").hashes
    assert sorted(hashes) == [
        "arcface-mbf",
        "encoder",
        "generator-synthesis-bin",
        "generator-synthesis-xml",
        "transfer",
    ]
    assert hashes["encoder"] == sha256_of(folder / "encoder.safetensors")


def test_replacement_needs_no_transfer_file(folder: Path) -> None:
    (folder / "transfer.safetensors").unlink()
    model = load_model(folder, swapper="lcr", device="cpu")
    assert model.transferrer is None
    assert "transfer" not in model.hashes


def test_face_recognition_is_loaded_only_if_the_encoder_hears_it(folder: Path) -> None:
    save(folder, Encoder(TINY), "encoder", TINY)
    model = load_model(folder, swapper="lcr", device="cpu")
    assert model.arcface is None
    assert "arcface-mbf" not in model.hashes


def test_the_number_of_threads_is_set(folder: Path, torch_threads: None) -> None:
    load_model(folder, device="cpu", threads=1)
    assert torch.get_num_threads() == 1


def test_a_transfer_for_an_encoder_of_other_sizes_is_refused(folder: Path) -> None:
    narrow = replace(WITH_IDENTITY, transfer_width=4)
    save(folder, FaceTransfer(narrow), "transfer", narrow)
    with pytest.raises(WeightsError, match="was trained for an encoder of other sizes"):
        load_model(folder, device="cpu")


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputNotFoundError, match=r"encoder\.safetensors is missing") as caught:
        load_model(tmp_path)
    assert caught.value.exit_code == 10


def test_a_damaged_checkpoint_is_refused(folder: Path) -> None:
    path = folder / "encoder.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(WeightsError, match=r"encoder\.safetensors"):
        load_model(folder, device="cpu")


def test_an_unknown_swapper_is_refused() -> None:
    with pytest.raises(ValueError, match="swapper is 'magic', wanted one of ftm, injection, lcr"):
        load_model(swapper="magic")


@pytest.mark.parametrize(
    ("choice", "error", "said"),
    [
        ({"device": "tpu"}, DeviceError, "no device is called 'tpu'"),
        ({"precision": "int8"}, DeviceError, "no precision is called 'int8'"),
        ({"swapper": "injection"}, WeightsError, "mobile has no weights for injection"),
        ({"engine": "openvino"}, DeviceError, "OpenVINO runs the paper's model only, and mobile"),
    ],
)
def test_choices_are_refused_before_a_file_is_looked_for(
    monkeypatch: pytest.MonkeyPatch,
    choice: dict[str, str],
    error: type[MegafsError],
    said: str,
) -> None:
    monkeypatch.setattr(model_room, "assemble", lambda *names, **settings: pytest.fail("read"))
    with pytest.raises(error, match=said):
        load_model(**({"device": "cpu"} | choice))  # type: ignore[arg-type]

"""The assembled model: encode a face, move an identity between codes, draw the result."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from megafs_video.allocator import keep_freed_memory
from megafs_video.assembly import assemble
from megafs_video.engine import EngineEncoder, EngineGenerator, check_engine
from megafs_video.errors import DeviceError
from megafs_video.networks.dims import Dims
from megafs_video.networks.encoder import Encoder
from megafs_video.networks.frozen import ArcFace, to_channels_last
from megafs_video.networks.generator import Generator
from megafs_video.networks.hierfe import HieRFE
from megafs_video.networks.injection import IdInjection
from megafs_video.networks.stylegan2 import StyleGan2
from megafs_video.networks.transfer import FaceTransfer, replace_codes
from megafs_video.values import Latents, check_shape
from megafs_video.weights.folder import SWAPPERS

DTYPES = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}
ENGINES = ("torch", "openvino")


@dataclass(frozen=True, eq=False)
class Model:
    """HieRFE, a swapper and the generator on one device; every call is in inference mode.

    >>> model = load_model("mobile")  # doctest: +SKIP
    >>> source = model.encode(source_pixels)  # doctest: +SKIP
    >>> swapped = model.transfer(source, model.encode(target_pixels))  # doctest: +SKIP
    >>> pixels = model.generate(swapped)  # doctest: +SKIP
    """

    name: str
    dims: Dims
    device: torch.device
    dtype: torch.dtype  # what the networks compute in; what goes in and out is float32
    hashes: Mapping[str, str]  # sha256 of each weight file, by name
    encoder: Encoder | HieRFE | EngineEncoder
    transferrer: FaceTransfer | IdInjection | None  # None for LCR, which has no weights
    generator: Generator | StyleGan2 | EngineGenerator
    arcface: ArcFace | None

    @torch.inference_mode()
    def encode(self, pixels: Tensor) -> Latents:
        """W++ of aligned crops (paper §3.1).

        pixels: float32 [N, 3, 256, 256] in [-1, 1], FFHQ-aligned. ValueError for another shape.
        """
        size = self.dims.crop_size
        check_shape("pixels", pixels, (None, 3, size, size))
        pixels = pixels.to(self.device)
        with self._precision():
            if self.arcface is None:
                return _as_float(self.encoder(pixels))
            return _as_float(self.encoder(pixels, self.arcface(pixels)))

    @torch.inference_mode()
    def transfer(self, source: Latents, target: Latents) -> Latents:
        """The source's identity on the target's codes (paper §3.2); C and low codes unchanged.

        source: one face, or as many as the target. ValueError for another number or shape.
        """
        self._check(source)
        self._check(target)
        if len(source) not in (1, len(target)):
            raise ValueError(f"source holds {len(source)} faces, wanted 1 or {len(target)}")
        source, target = self._here(source), self._here(target)
        if self.transferrer is None:
            return replace_codes(source, target, self.dims.num_low)
        with self._precision():
            return _as_float(self.transferrer(source, target))

    @torch.inference_mode()
    def generate(self, latents: Latents) -> Tensor:
        """Pictures float32 [N, 3, 1024, 1024], about [-1, 1], by the fixed generator (§3.3).

        ValueError for codes of another shape than ``encode`` gives.
        """
        self._check(latents)
        with self._precision():
            pixels: Tensor = self.generator(self._here(latents))
        return pixels.float()

    def _check(self, latents: Latents) -> None:
        dims = self.dims
        check_shape("latents.constant", latents.constant, (None, dims.constant_channels, 4, 4))
        check_shape("latents.styles", latents.styles, (None, dims.num_styles, dims.style_size))

    def _here(self, latents: Latents) -> Latents:
        return Latents(latents.constant.to(self.device), latents.styles.to(self.device))

    def _precision(self) -> AbstractContextManager[object]:
        if self.dtype == torch.float32:
            return nullcontext()
        return torch.autocast(self.device.type, self.dtype)


def _as_float(latents: Latents) -> Latents:
    return Latents(latents.constant.float(), latents.styles.float())


def load_model(
    name_or_folder: str | Path = "mobile",
    *,
    swapper: str = "ftm",
    device: str = "auto",
    precision: str = "auto",
    threads: int | None = None,
    engine: str = "torch",
    offline: bool = False,
) -> Model:
    """A model by name, or from a folder.

    A folder holds what ``megafs-video train`` made, the published files of the paper by their
    published names (``ftm_final.pth``, ``stylegan2-ffhq-config-f.pth``), or what
    ``megafs-video models convert`` made of those.

    swapper: "ftm" (paper §3.2), "lcr" (plain replacement of the high codes, §4.4) or, of the
    paper's model, "injection" (Fig. 8).
    device: "auto" (CUDA, then Apple's MPS, then CPU), "cpu", "cuda", "mps".
    precision: "auto" (float16 on CUDA, else float32), "float32", "bfloat16", "float16".
    threads: of torch, for the whole process; None leaves torch's choice.
    engine: "torch", or "openvino" for the paper's model on a CPU: compiled when it is loaded,
    then several times faster (an optional extra).
    Published files that are missing are fetched, unless ``offline``.

    Raises DeviceError, WeightsError, OfflineError, InputNotFoundError; ValueError for a swapper
    that does not exist.
    """
    if swapper not in SWAPPERS:
        raise ValueError(f"swapper is {swapper!r}, wanted one of {', '.join(SWAPPERS)}")
    if engine not in ENGINES:
        raise ValueError(f"engine is {engine!r}, wanted one of {', '.join(ENGINES)}")
    chosen_device = _device(device)
    dtype = _dtype(precision, chosen_device)
    if engine == "openvino":
        check_engine(chosen_device)
    if threads is not None:
        torch.set_num_threads(threads)
    keep_freed_memory()
    networks = assemble(name_or_folder, swapper, offline=offline)
    parts = (networks.encoder, networks.transferrer, networks.generator, networks.arcface)
    for network in parts:
        if network is not None:
            to_channels_last(network.to(chosen_device))
    model = Model(
        name=str(name_or_folder),
        dims=networks.dims,
        device=chosen_device,
        dtype=dtype,
        hashes=networks.hashes,
        encoder=networks.encoder,
        transferrer=networks.transferrer,
        generator=networks.generator,
        arcface=networks.arcface,
    )
    return _compiled(model) if engine == "openvino" else model


def _compiled(model: Model) -> Model:
    """The paper's model with its two large networks compiled; DeviceError for another model."""
    if not (isinstance(model.encoder, HieRFE) and isinstance(model.generator, StyleGan2)):
        raise DeviceError(
            f"OpenVINO runs the paper's model only, and {model.name} is another; "
            "give the engine torch"
        )
    num_threads = torch.get_num_threads()
    return replace(
        model,
        encoder=EngineEncoder(model.encoder, model.dtype, num_threads),
        generator=EngineGenerator(model.generator, model.dtype, num_threads),
    )


def _device(name: str) -> torch.device:
    has_cuda = torch.cuda.is_available()
    has_mps = torch.backends.mps.is_available()
    if name == "auto":
        return torch.device("cuda" if has_cuda else "mps" if has_mps else "cpu")
    if name not in ("cpu", "cuda", "mps"):
        raise DeviceError(f"no device is called {name!r}; give auto, cpu, cuda or mps")
    if (name == "cuda" and not has_cuda) or (name == "mps" and not has_mps):
        raise DeviceError(f"this machine (or this torch) has no {name} device; give --device cpu")
    return torch.device(name)


def _dtype(name: str, device: torch.device) -> torch.dtype:
    if name == "auto":
        return torch.float16 if device.type == "cuda" else torch.float32
    if name not in DTYPES:
        raise DeviceError(f"no precision is called {name!r}; give auto, {', '.join(DTYPES)}")
    if name == "float16" and device.type == "cpu":
        raise DeviceError("float16 is slower than float32 on a CPU; give float32 or bfloat16")
    return DTYPES[name]

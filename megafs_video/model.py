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
from megafs_video.devices import check_engine, choose_device, choose_dtype
from megafs_video.engine import EngineEncoder, EngineGenerator
from megafs_video.errors import DeviceError, WeightsError
from megafs_video.networks.dims import Dims
from megafs_video.networks.encoder import Encoder, FaceReader
from megafs_video.networks.fold import fold_batch_norms
from megafs_video.networks.frozen import ArcFace, Landmarks106
from megafs_video.networks.generator import Generator
from megafs_video.networks.hierfe import HieRFE
from megafs_video.networks.injection import IdInjection
from megafs_video.networks.order import to_channels_last
from megafs_video.networks.stylegan2 import StyleGan2
from megafs_video.networks.tracing import Traced
from megafs_video.networks.transfer import FaceTransfer, replace_codes
from megafs_video.values import Latents, check_shape
from megafs_video.weights.folder import SWAPPERS, brings_generator


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
    arcface: ArcFace | None  # both of an encoder that hears them
    landmarks: Landmarks106 | None
    traced: Traced | None = None  # the same networks for one face at a time, where that is faster
    engine: str = "torch"  # what runs encoder and generator: "torch" or "openvino"

    @torch.inference_mode()
    def encode(self, pixels: Tensor) -> Latents:
        """W++ of aligned crops (paper §3.1).

        pixels: float32 [N, 3, 256, 256] in [-1, 1], FFHQ-aligned. ValueError for another shape.
        """
        size = self.dims.crop_size
        check_shape("pixels", pixels, (None, 3, size, size))
        pixels = pixels.to(self.device)
        with self._precision():
            if not isinstance(self.encoder, Encoder):
                return _as_float(self.encoder(pixels))
            if self.traced is not None and len(pixels) == 1:
                return self.traced.read(pixels)
            generator = self.generator if isinstance(self.generator, Generator) else None
            reader = FaceReader(self.encoder, self.arcface, self.landmarks, generator)
            return _as_float(reader(pixels))

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
        if self.traced is not None and len(target) == 1:
            return self.traced.move(source, target)
        with self._precision():
            return _as_float(self.transferrer(source, target))

    @torch.inference_mode()
    def generate(self, latents: Latents) -> Tensor:
        """Pictures float32 [N, 3, 1024, 1024], about [-1, 1], by the fixed generator (§3.3).

        ValueError for codes of another shape than ``encode`` gives.
        """
        self._check(latents)
        if self.traced is not None and len(latents) == 1:
            return self.traced.draw(self._here(latents))
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
    precision: "auto" (float16 on CUDA, else float32), "float32", "bfloat16", "float16"; refused
    where the device would be slower with it.
    threads: of torch, for the whole process; None leaves torch's choice.
    engine: "torch", or "openvino" for the paper's model on a CPU: compiled when it is loaded,
    then several times faster (an optional extra).
    Published files that are missing are fetched, unless ``offline``.

    Raises DeviceError, WeightsError, OfflineError, InputNotFoundError; ValueError for a swapper
    or an engine that does not exist.
    """
    check_choices(
        name_or_folder, swapper=swapper, device=device, precision=precision, engine=engine
    )
    chosen_device = choose_device(device)
    if threads is not None:
        torch.set_num_threads(threads)
    keep_freed_memory()
    networks = assemble(name_or_folder, swapper, offline=offline)
    if isinstance(networks.encoder, Encoder):
        fold_batch_norms(networks.encoder)
    parts = (networks.encoder, networks.transferrer, networks.generator)
    for network in (*parts, networks.arcface, networks.landmarks):
        if network is not None:
            to_channels_last(network.to(chosen_device))
    model = Model(
        name=str(name_or_folder),
        dims=networks.dims,
        device=chosen_device,
        dtype=choose_dtype(precision, chosen_device),
        hashes=networks.hashes,
        encoder=networks.encoder,
        transferrer=networks.transferrer,
        generator=networks.generator,
        arcface=networks.arcface,
        landmarks=networks.landmarks,
    )
    return _compiled(model) if engine == "openvino" else _traced(model)


def check_choices(
    name_or_folder: str | Path,
    *,
    swapper: str = "ftm",
    device: str = "auto",
    precision: str = "auto",
    engine: str = "torch",
) -> None:
    """Refuse what ``load_model`` would refuse, as far as can be said before a file is read.

    Errors are those of ``load_model``.
    """
    if swapper not in SWAPPERS:
        raise ValueError(f"swapper is {swapper!r}, wanted one of {', '.join(SWAPPERS)}")
    chosen_device = choose_device(device)
    choose_dtype(precision, chosen_device)
    check_engine(engine, chosen_device)
    is_paper = brings_generator(Path(name_or_folder))
    if swapper == "injection" and not is_paper:
        raise WeightsError(
            f"{name_or_folder} has no weights for injection, which only the paper's model has; "
            "give ftm or lcr"
        )
    if engine == "openvino" and not is_paper:
        raise DeviceError(
            f"OpenVINO runs the paper's model only, and {name_or_folder} is another (which is as "
            "fast in torch); give --engine torch"
        )


def _traced(model: Model) -> Model:
    """Our own model, on a CPU, with graphs of what reads, swaps and draws a face."""
    if not isinstance(model.encoder, Encoder) or model.device.type != "cpu":
        return model
    if model.dtype != torch.float32:
        return model  # a trace would not hear of autocast
    assert isinstance(model.generator, Generator)
    reader = FaceReader(model.encoder, model.arcface, model.landmarks, model.generator)
    assert not isinstance(model.transferrer, IdInjection)
    return replace(model, traced=Traced(reader, model.transferrer, model.generator))


def _compiled(model: Model) -> Model:
    """The paper's model with its two large networks compiled."""
    assert isinstance(model.encoder, HieRFE)
    assert isinstance(model.generator, StyleGan2)
    num_threads = torch.get_num_threads()
    return replace(
        model,
        encoder=EngineEncoder(model.encoder, model.dtype, num_threads),
        generator=EngineGenerator(model.generator, model.dtype, num_threads),
        engine="openvino",
    )

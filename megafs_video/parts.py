"""Every network as a torch module, built from its file: published ones, and our own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from zipfile import ZIP_STORED, BadZipFile, ZipFile

import torch
from torch import Tensor, nn

from megafs_video.errors import WeightsError
from megafs_video.networks.dims import Dims
from megafs_video.networks.encoder import Encoder
from megafs_video.networks.frozen import (
    ArcFace,
    FrozenNetwork,
    Landmarks106,
    Mesh478,
    SFace,
    Step,
    freeze,
)
from megafs_video.networks.generator import Generator, StyleMapper
from megafs_video.networks.hierfe import HieRFE
from megafs_video.networks.injection import IdInjection
from megafs_video.networks.lite import steps_of
from megafs_video.networks.order import to_channels_last
from megafs_video.networks.perceptual import Lpips
from megafs_video.networks.published import generator_state, style_mapper_state
from megafs_video.networks.stylegan2 import StyleGan2
from megafs_video.networks.transfer import FaceTransfer
from megafs_video.weights.checkpoint import (
    Checkpoint,
    check_fit,
    load_checkpoint,
    load_into,
    load_pickle,
)
from megafs_video.weights.header import read_header
from megafs_video.weights.openvino import read_ir
from megafs_video.weights.table import find
from megafs_video.weights.tflite import read_tflite

PAPER_NETWORKS: Mapping[str, Callable[[Dims], HieRFE | FaceTransfer | IdInjection | StyleGan2]] = {
    "encoder": HieRFE,
    "transfer": FaceTransfer,
    "injection": IdInjection,
    "generator": StyleGan2,
}
"""By the kind that stands in their checkpoints."""
MESH_MEMBER = "face_landmarks_detector.tflite"
MESH_SHAPES = ((1, 256, 256, 3), (1, 1, 1, 3 * 478))


def load_encoder(path: Path) -> Encoder:
    """Our HieRFE from a checkpoint; WeightsError if the file does not hold one."""
    checkpoint = load_checkpoint(path, kind="encoder")
    dims = _dims_of(checkpoint, path)
    if dims.family != "mobile":
        raise WeightsError(f"{path} holds the paper's HieRFE; only our own can be trained here")
    encoder = Encoder(dims)
    load_into(encoder, checkpoint.tensors, path)
    return freeze(encoder)


def load_transfer(path: Path) -> FaceTransfer:
    """FTM from our own checkpoint; WeightsError if the file does not hold one."""
    checkpoint = load_checkpoint(path, kind="transfer")
    transfer = FaceTransfer(_dims_of(checkpoint, path))
    # Files of before there were a gain and a reach have none.
    later = {"gain": transfer.gain, "reach": transfer.reach}
    known = {name: tensor for name, tensor in later.items() if tensor is not None}
    load_into(transfer, known | dict(checkpoint.tensors), path)
    return freeze(transfer)


def load_paper(path: Path, *, kind: str) -> HieRFE | FaceTransfer | IdInjection | StyleGan2:
    """A network of the paper's model that ``models convert`` wrote; WeightsError if it is not one.

    kind: one of PAPER_NETWORKS.
    """
    checkpoint = load_checkpoint(path, kind=kind)
    return build_paper(kind, checkpoint.tensors, _dims_of(checkpoint, path), path)


def build_paper(
    kind: str, state: Mapping[str, Tensor], dims: Dims, path: Path
) -> HieRFE | FaceTransfer | IdInjection | StyleGan2:
    """A network of the paper's model around its weights, which are not copied.

    ``path`` is where they came from, for the WeightsError if they do not fit.
    """
    with torch.device("meta"):  # random weights for 242 million parameters would take seconds
        module = PAPER_NETWORKS[kind](dims)
    check_fit(module, state, path)
    module.load_state_dict(dict(state), assign=True)
    return freeze(module)


def read_dims(path: Path) -> Dims:
    """The sizes that a checkpoint carries; WeightsError if it carries none."""
    return _parse_dims(read_header(path).metadata.get("dims", ""), path)


def _dims_of(checkpoint: Checkpoint, path: Path) -> Dims:
    return _parse_dims(checkpoint.dims_json, path)


def _parse_dims(text: str, path: Path) -> Dims:
    try:
        return Dims.from_json(text)
    except (ValueError, TypeError) as error:
        raise WeightsError(f"{path} does not carry the sizes of a model: {error}") from error


def build_generator(xml: Path, bin: Path, dims: Dims) -> Generator:
    """MobileStyleGAN's synthesis network; WeightsError if the files hold another graph."""
    generator = Generator(dims)
    try:
        generator.load_state_dict(generator_state(read_ir(xml, bin)))
    except (KeyError, ValueError, RuntimeError, StopIteration) as error:
        raise WeightsError(f"{xml} is not the generator's graph: {error}") from error
    return to_channels_last(freeze(generator))


def build_style_mapper(xml: Path, bin: Path, dims: Dims) -> StyleMapper:
    """MobileStyleGAN's mapping network z -> w; WeightsError if the files hold another graph."""
    mapper = StyleMapper(dims.style_size)
    try:
        mapper.load_state_dict(style_mapper_state(read_ir(xml, bin)))
    except (ValueError, RuntimeError) as error:
        raise WeightsError(f"{xml} is not the mapping network's graph: {error}") from error
    return freeze(mapper)


def build_frozen(path: Path) -> FrozenNetwork:
    """Any plain ONNX network, differentiable; WeightsError if it cannot be read."""
    import onnx
    from google.protobuf.message import DecodeError
    from onnx import helper, numpy_helper

    try:
        graph = onnx.load(path, load_external_data=False).graph
        constants = {
            tensor.name: torch.from_numpy(numpy_helper.to_array(tensor).copy())
            for tensor in graph.initializer
        }
        steps = [
            Step(
                operator=node.op_type,
                inputs=tuple(node.input),
                output=node.output[0],
                settings={a.name: helper.get_attribute_value(a) for a in node.attribute},
            )
            for node in graph.node
        ]
        inputs = [value.name for value in graph.input if value.name not in constants]
        network = FrozenNetwork(steps, constants, inputs[0])
    except (DecodeError, OSError, ValueError, IndexError, TypeError) as error:
        raise WeightsError(f"{path} cannot be read as an ONNX network: {error}") from error
    return freeze(network)


def build_arcface(path: Path) -> ArcFace:
    """ArcFace MobileFaceNet on FFHQ-aligned crops."""
    return ArcFace(build_frozen(path))


def build_sface(path: Path) -> SFace:
    """SFace on FFHQ-aligned crops, differentiable."""
    return SFace(build_frozen(path))


def build_landmarks(path: Path) -> Landmarks106:
    """InsightFace's 106 landmarks on FFHQ-aligned crops."""
    return Landmarks106(build_frozen(path))


def build_mesh478(path: Path) -> Mesh478:
    """MediaPipe's face mesh on FFHQ-aligned crops, from ``face_landmarker.task``."""
    try:
        with ZipFile(path) as task:
            entry = task.getinfo(MESH_MEMBER)
            if entry.compress_type != ZIP_STORED or entry.flag_bits & 1:
                raise ValueError("its graph is packed or locked")
            content = task.read(entry)
        graph = read_tflite(content, path)
        if (graph.shapes[graph.inputs[0]], graph.shapes[graph.outputs[0]]) != MESH_SHAPES:
            raise ValueError("its graph reads or answers something else")
        network = FrozenNetwork(*steps_of(graph))
    except (BadZipFile, OSError, ValueError, LookupError, ArithmeticError) as error:
        raise WeightsError(f"{path} is not MediaPipe's face landmarker: {error}") from error
    return Mesh478(freeze(network))


def build_lpips(path: Path, name: str = "lpips-alex") -> Lpips:
    """LPIPS with AlexNet."""
    stored = load_pickle(path, sha256=find(name).sha256)
    trunk = []
    for layer in stored["trunk"]:
        weight: Tensor = layer["weight"]
        convolution = nn.Conv2d(
            weight.shape[1],
            weight.shape[0],
            weight.shape[2],
            stride=layer["stride"],
            padding=layer["padding"],
        )
        convolution.load_state_dict({"weight": weight, "bias": layer["bias"]})
        trunk.append(convolution)
    return freeze(Lpips(trunk, [weight[0] for weight in stored["lin"]]))


def read_backbone_state(path: Path, name: str = "parser") -> dict[str, Tensor]:
    """ResNet-18 inside the face-parsing weights, named as our ``Backbone`` names it."""
    prefix = "cp.resnet."
    state = {}
    for key, tensor in load_pickle(path, sha256=find(name).sha256).items():
        if key.startswith(prefix):
            own = key.removeprefix(prefix)
            stage = own.split(".")[0]
            if stage.startswith("layer"):
                depth = int(stage.removeprefix("layer")) - 1
                own = own.replace(stage, f"stages.{depth}", 1)
            state[own] = tensor
    return state

"""Pickles as NVIDIA writes them, made without its code."""

from __future__ import annotations

import pickle
import sys
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor


def names_by_nvidia(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A generator's rosinality layout under the names of stylegan2-ada-pytorch."""
    found: dict[str, Tensor] = {"mapping.w_avg": torch.zeros(8)}
    for name, tensor in state.items():
        words = name.split(".")
        leaf = name.partition(".conv.")[2] or words[-1]
        if words[0] == "style":
            found[f"mapping.fc{int(words[1]) - 1}.{leaf}"] = tensor
        elif words[0] == "input":
            found["synthesis.b4.const"] = tensor[0]
        elif words[0] == "noises":
            index = int(words[1].removeprefix("noise_"))
            layer = "conv0" if index % 2 else "conv1"
            found[f"synthesis.b{4 << (index + 1) // 2}.{layer}.noise_const"] = tensor[0, 0]
        else:
            is_rgb = words[0].startswith("to_rgb")
            if words[0] in ("conv1", "to_rgb1"):
                size, layer = 4, "conv1"
            else:
                index = int(words[1])
                size = 8 << (index if is_rgb else index // 2)
                layer = "conv0" if index % 2 == 0 else "conv1"
            block = f"synthesis.b{size}."
            layer = "torgb" if is_rgb else layer
            own = {
                "weight": "noise_strength" if ".noise." in name else "weight",
                "modulation.weight": "affine.weight",
                "modulation.bias": "affine.bias",
                "bias": "bias",
            }
            if leaf in ("kernel", "blur.kernel"):
                where = "" if is_rgb else f"{layer}."
                found[f"{block}{where}resample_filter"] = tensor / 4
            elif ".noise." in name:
                found[f"{block}{layer}.noise_strength"] = tensor[0]
            elif leaf == "weight":
                found[f"{block}{layer}.weight"] = tensor[0]
            else:
                found[f"{block}{layer}.{own[leaf]}"] = (
                    tensor.flatten() if is_rgb and leaf == "bias" else tensor
                )
    kernel = state["convs.0.conv.blur.kernel"] / 4
    for name in [name for name in found if name.endswith("conv1.weight")]:
        found[name.replace("weight", "resample_filter")] = kernel
    found["synthesis.b4.resample_filter"] = kernel
    return found


class _Persistent:
    """An object that NVIDIA's persistence would write: its source code and its state."""

    def __init__(self, state: dict[str, Any]) -> None:
        self.state = state

    def __reduce__(self) -> tuple[Any, tuple[dict[str, Any]]]:
        rebuild = sys.modules["torch_utils.persistence"]._reconstruct_persistent_obj
        meta = {"type": "class", "module_src": "raise SystemExit", "state": self.state}
        return rebuild, (sys.modules["dnnlib.util"].EasyDict(meta),)


def _nested(tensors: Mapping[str, Tensor]) -> _Persistent:
    own = OrderedDict((n, torch.nn.Parameter(t)) for n, t in tensors.items() if "." not in n)
    inner: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        child, dot, rest = name.partition(".")
        if dot:
            inner.setdefault(child, {})[rest] = tensor
    modules = OrderedDict((name, _nested(part)) for name, part in inner.items())
    return _Persistent({"_parameters": own, "_buffers": OrderedDict(), "_modules": modules})


@contextmanager
def nvidias_modules() -> Iterator[None]:
    """Empty modules under NVIDIA's names, so that pickle can write references to them."""
    names = ("torch_utils", "torch_utils.persistence", "dnnlib", "dnnlib.util")
    names += ("dnnlib.tflib", "dnnlib.tflib.network")
    modules = {name: ModuleType(name) for name in names}

    def _reconstruct_persistent_obj(meta: object) -> None:
        raise AssertionError("the file's code was run")

    class EasyDict(dict[str, Any]):
        """A dictionary."""

    class Network:
        """A network of TensorFlow."""

    for module, thing in (
        ("torch_utils.persistence", _reconstruct_persistent_obj),
        ("dnnlib.util", EasyDict),
        ("dnnlib.tflib.network", Network),
    ):
        thing.__module__ = module
        thing.__qualname__ = thing.__name__
        setattr(modules[module], thing.__name__, thing)
    sys.modules.update(modules)
    try:
        yield
    finally:
        for name in names:
            del sys.modules[name]


def write_torch_pickle(path: Path, state: Mapping[str, Tensor]) -> None:
    """A generator as stylegan2-ada-pytorch pickles it."""
    dump_torch(path, names_by_nvidia(state))


def dump_torch(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Tensors under any names in a pickle of stylegan2-ada-pytorch."""
    with nvidias_modules(), path.open("wb") as file:
        pickle.dump({"G": None, "D": None, "G_ema": _nested(tensors)}, file)


def variables_of(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A generator's rosinality layout under the names of the first release."""
    found = {"dlatent_avg": torch.zeros(8), "synthesis/lod": torch.zeros(())}
    for name, tensor in names_by_nvidia(state).items():
        words = name.split(".")
        if words[0] == "mapping" and words[1] != "w_avg":
            own = tensor.T if words[-1] == "weight" else tensor
            found[f"mapping/Dense{words[1].removeprefix('fc')}/{words[-1]}"] = own
        if words[0] != "synthesis" or words[-1] == "resample_filter":
            continue
        size = int(words[1].removeprefix("b"))
        block = f"synthesis/{size}x{size}"
        if words[2] == "const":
            found[f"{block}/Const/const"] = tensor[None]
            continue
        first = "Conv" if size == 4 else "Conv1"
        layer = f"{block}/{ {'conv0': 'Conv0_up', 'conv1': first, 'torgb': 'ToRGB'}[words[2]] }"
        if words[-1] == "noise_const":
            index = 2 * (size.bit_length() - 3) - (words[2] == "conv0")
            found[f"synthesis/noise{index}"] = tensor[None, None]
        elif words[-2] == "affine":
            weight = words[-1] == "weight"
            found[f"{layer}/mod_{words[-1]}"] = tensor.T if weight else tensor - 1
        elif words[-1] == "weight":
            turned = tensor.flip(2, 3) if words[2] == "conv0" else tensor
            found[f"{layer}/weight"] = turned.permute(2, 3, 1, 0)
        else:
            found[f"{layer}/{words[-1]}"] = tensor
    return found


def write_tensorflow_pickle(path: Path, state: Mapping[str, Tensor]) -> None:
    """A generator as the first release of StyleGAN2 pickles it: (G, D, Gs)."""
    dump_tensorflow(path, variables_of(state))


def dump_tensorflow(path: Path, variables: Mapping[str, Tensor]) -> None:
    """Variables under any names in a pickle of the first release."""
    with nvidias_modules(), path.open("wb") as file:
        make = sys.modules["dnnlib.tflib.network"].Network
        parts: dict[str, list[tuple[str, Any]]] = {"mapping": [], "synthesis": []}
        own = []
        for name, tensor in variables.items():
            part, slash, rest = name.partition("/")
            (parts[part] if slash else own).append((rest if slash else name, tensor.numpy()))

        def network(variables: list[tuple[str, Any]], **components: Any) -> Any:
            made = make()
            made.__dict__.update(variables=variables, components=components)
            return made

        inner = {name: network(variables) for name, variables in parts.items()}
        pickle.dump((None, None, network(own, **inner)), file)

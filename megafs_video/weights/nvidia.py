"""NVIDIA's StyleGAN2 pickles, read without running a line of them.

Such a pickle holds Python objects with the source code of their classes. Our unpickler knows the
few names that carry numbers, gives a shell without code for the networks, and refuses all others.
"""

from __future__ import annotations

import io
import pickle
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from megafs_video.errors import WeightsError


class Shell:
    """Stands in for a network of the file: it keeps the state and has no code."""

    state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state


def _keep_state(meta: Mapping[str, Any]) -> Shell:
    """In the place of NVIDIA's function that compiles the source code inside the file."""
    shell = Shell()
    shell.state = meta["state"]
    return shell


def _storage(data: bytes) -> Any:
    """In the place of torch's function that unpickles a storage, whatever is in it."""
    return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)


def _empty_array(*_: Any) -> np.ndarray[Any, Any]:
    """In the place of numpy's constructor: the array that its state is then set on."""
    return np.empty(0)


def _refuse_objects(*words: Any) -> np.dtype[Any]:
    """numpy's dtype, of numbers only."""
    dtype: np.dtype[Any] = np.dtype(*words)
    if dtype.hasobject:
        raise pickle.UnpicklingError("it holds an array of objects, wanted numbers")
    return dtype


ALLOWED: Mapping[tuple[str, str], Callable[..., Any]] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("dnnlib.util", "EasyDict"): dict,
    ("dnnlib.tflib.network", "Network"): Shell,
    ("numpy", "dtype"): _refuse_objects,
    ("numpy", "ndarray"): _empty_array,
    ("numpy.core.multiarray", "_reconstruct"): _empty_array,
    ("numpy._core.multiarray", "_reconstruct"): _empty_array,
    ("torch._utils", "_rebuild_parameter"): lambda tensor, *_: tensor,
    ("torch._utils", "_rebuild_tensor_v2"): torch._utils._rebuild_tensor_v2,
    ("torch.storage", "_load_from_bytes"): _storage,
    ("torch_utils.persistence", "_reconstruct_persistent_obj"): _keep_state,
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str) -> Callable[..., Any]:
        try:
            return ALLOWED[module_name, global_name]
        except KeyError:
            raise pickle.UnpicklingError(
                f"it asks for {module_name}.{global_name}, which no generator needs"
            ) from None


def read_nvidia(path: Path) -> dict[str, Tensor]:
    """Tensors of the generator's moving average (G_ema, or Gs of the first release) by name.

    WeightsError if the file is damaged, asks for anything but numbers, or holds no generator.
    """
    try:
        with path.open("rb") as file:
            content = _Unpickler(file).load()
        if isinstance(content, tuple) and len(content) == 3:  # (G, D, Gs)
            return dict(_variables(content[2], ""))
        return dict(_tensors(content["G_ema"], ""))
    except (
        pickle.UnpicklingError,
        ArithmeticError,
        AttributeError,
        EOFError,
        LookupError,
        MemoryError,
        OSError,
        RuntimeError,
        TypeError,
        ValueError,
    ) as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise WeightsError(f"{path} is not a StyleGAN2 generator of NVIDIA's: {reason}") from error


def _tensors(module: Shell, prefix: str) -> Iterator[tuple[str, Tensor]]:
    """Parameters and buffers of a torch module and of all that it holds."""
    for kind in ("_parameters", "_buffers"):
        for name, tensor in module.state[kind].items():
            if tensor is not None:
                yield f"{prefix}{name}", tensor
    for name, inner in module.state["_modules"].items():
        yield from _tensors(inner, f"{prefix}{name}.")


def _variables(network: Shell, prefix: str) -> Iterator[tuple[str, Tensor]]:
    """Variables of a TensorFlow network and of all that it holds."""
    for name, values in network.state["variables"]:
        yield f"{prefix}{name}", torch.from_numpy(np.array(values))
    for name, inner in network.state["components"].items():
        yield from _variables(inner, f"{prefix}{name}/")

"""Read an OpenVINO IR (a graph in XML, its constants in a flat file) without running any of it.

Every offset, size and shape is checked against the length of the flat file, so that a damaged or
hostile pair is refused by name before an array is made.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from megafs_video.errors import WeightsError

MAX_XML_BYTES = 16 * 2**20
MAX_BIN_BYTES = 2**30
# Constants may share bytes, and a hostile file could make every one of them the whole file.
MAX_SHARING = 2
ADVICE = "run: megafs-video models fetch"

ELEMENT_TYPES: Mapping[str, np.dtype[Any]] = {
    "boolean": np.dtype(np.bool_),
    "f16": np.dtype("<f2"),
    "f32": np.dtype("<f4"),
    "f64": np.dtype("<f8"),
    "i8": np.dtype("i1"),
    "i16": np.dtype("<i2"),
    "i32": np.dtype("<i4"),
    "i64": np.dtype("<i8"),
    "u8": np.dtype("u1"),
    "u16": np.dtype("<u2"),
    "u32": np.dtype("<u4"),
    "u64": np.dtype("<u8"),
}


@dataclass(frozen=True)
class Layer:
    """One node of the graph; its name is unique in the graph."""

    layer_id: int
    name: str
    type: str  # as OpenVINO calls it: "Const", "Add", "Convolution", …
    attributes: Mapping[str, str]
    input_ports: tuple[int, ...]
    output_ports: tuple[int, ...]


@dataclass(frozen=True)
class Edge:
    """An output port of one layer feeds an input port of another."""

    from_layer_id: int
    from_port: int
    to_layer_id: int
    to_port: int


@dataclass(frozen=True, eq=False)
class Graph:
    """Layers as the file lists them, the edges between them, and the constants by layer name."""

    layers: tuple[Layer, ...]
    edges: tuple[Edge, ...]
    constants: Mapping[str, npt.NDArray[Any]]
    nodes_in_order: tuple[Layer, ...]  # every layer after all that feed it

    def layer(self, layer_name: str) -> Layer:
        """The layer of that name; KeyError if the graph has none."""
        for layer in self.layers:
            if layer.name == layer_name:
                return layer
        raise KeyError(layer_name)

    def inputs_of(self, layer_name: str) -> tuple[str, ...]:
        """Names of the layers that feed a layer, in the order of its input ports."""
        wanted_id = self.layer(layer_name).layer_id
        names = {layer.layer_id: layer.name for layer in self.layers}
        feeding = sorted(
            (edge for edge in self.edges if edge.to_layer_id == wanted_id),
            key=lambda edge: edge.to_port,
        )
        return tuple(names[edge.from_layer_id] for edge in feeding)

    def users_of(self, layer_name: str) -> tuple[str, ...]:
        """Names of the layers that a layer feeds, in the order of the layer's output ports."""
        wanted_id = self.layer(layer_name).layer_id
        names = {layer.layer_id: layer.name for layer in self.layers}
        fed = sorted(
            (edge for edge in self.edges if edge.from_layer_id == wanted_id),
            key=lambda edge: edge.from_port,
        )
        return tuple(names[edge.to_layer_id] for edge in fed)


def read_ir(xml: Path, bin: Path) -> Graph:
    """Read a graph and its constants; WeightsError names the first thing that is off."""
    root = _parse(xml)
    layers, elements = _read_layers(xml, root)
    edges = _read_edges(xml, root, layers)
    return Graph(
        layers=layers,
        edges=edges,
        constants=_read_constants(xml, bin, layers, elements),
        nodes_in_order=_in_order(xml, layers, edges),
    )


def _refuse(path: Path, fault: str) -> WeightsError:
    return WeightsError(f"{path} is not a graph that can be read: {fault}; {ADVICE}")


def _read_bytes(path: Path, max_bytes: int) -> bytes:
    try:
        size_bytes = path.stat().st_size
        if size_bytes > max_bytes:
            raise _refuse(path, f"it has {size_bytes} bytes, at most {max_bytes} are read")
        return path.read_bytes()
    except OSError as error:
        raise WeightsError(f"{path} cannot be read ({error.strerror}); {ADVICE}") from error


def _parse(xml: Path) -> ElementTree.Element:
    try:
        # Decoded here, so that no other declared encoding can hide a DOCTYPE from the next line.
        text = _read_bytes(xml, MAX_XML_BYTES).decode("utf-8")
        if "<!DOCTYPE" in text:
            raise _refuse(xml, "it declares a DOCTYPE, which no graph needs")
        root = ElementTree.fromstring(text)
    except (UnicodeDecodeError, ElementTree.ParseError) as error:
        raise _refuse(xml, str(error)) from error
    if root.tag != "net":
        raise _refuse(xml, f"its root is <{root.tag[:40]}>, wanted <net>")
    if root.get("version") not in ("10", "11"):
        raise _refuse(xml, f"its version is {root.get('version')!r}, wanted 10 or 11")
    return root


def _number(xml: Path, where: str, text: str | None) -> int:
    """A plain decimal number, 0 to 2^63."""
    text = "" if text is None else text.strip()
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise _refuse(xml, f"{where} is {text[:40]!r}, wanted a whole number")
    return int(text)


def _ports(xml: Path, element: ElementTree.Element, side: str) -> tuple[int, ...]:
    where = f"a port of layer {element.get('name')!r}"
    return tuple(_number(xml, where, port.get("id")) for port in element.iterfind(f"{side}/port"))


def _read_layers(
    xml: Path, root: ElementTree.Element
) -> tuple[tuple[Layer, ...], dict[str, ElementTree.Element]]:
    """Every layer, and the <data> element of each constant by layer name."""
    layers: dict[int, Layer] = {}
    constants: dict[str, ElementTree.Element] = {}
    names: set[str] = set()
    for element in root.iterfind("layers/layer"):
        layer_id = _number(xml, "the id of a layer", element.get("id"))
        if layer_id in layers:
            raise _refuse(xml, f"two layers have the id {layer_id}")
        # A name may repeat, an id may not.
        name = element.get("name") or "unnamed"
        name = f"{name}#{layer_id}" if name in names else name
        if name in names:
            raise _refuse(xml, f"two layers have the name {name!r}")
        names.add(name)
        data = element.find("data")
        layers[layer_id] = Layer(
            layer_id=layer_id,
            name=name,
            type=element.get("type") or "",
            attributes={} if data is None else dict(data.attrib),
            input_ports=_ports(xml, element, "input"),
            output_ports=_ports(xml, element, "output"),
        )
        if layers[layer_id].type == "Const":
            if data is None:
                raise _refuse(xml, f"constant {name!r} has no data")
            constants[name] = data
    if not layers:
        raise _refuse(xml, "it has no layers")
    return tuple(layers.values()), constants


def _read_edges(xml: Path, root: ElementTree.Element, layers: Iterable[Layer]) -> tuple[Edge, ...]:
    by_id = {layer.layer_id: layer for layer in layers}
    fed: set[tuple[int, int]] = set()
    edges: list[Edge] = []
    for element in root.iterfind("edges/edge"):
        edge = Edge(
            *(
                _number(xml, f"{name} of an edge", element.get(name))
                for name in ("from-layer", "from-port", "to-layer", "to-port")
            )
        )
        producer, consumer = by_id.get(edge.from_layer_id), by_id.get(edge.to_layer_id)
        if producer is None or edge.from_port not in producer.output_ports:
            raise _refuse(
                xml, f"an edge leaves {edge.from_layer_id}:{edge.from_port}: no such port"
            )
        if consumer is None or edge.to_port not in consumer.input_ports:
            raise _refuse(xml, f"an edge enters {edge.to_layer_id}:{edge.to_port}: no such port")
        if (edge.to_layer_id, edge.to_port) in fed:
            raise _refuse(xml, f"two edges enter port {edge.to_port} of {consumer.name!r}")
        fed.add((edge.to_layer_id, edge.to_port))
        edges.append(edge)
    return tuple(edges)


def _read_constants(
    xml: Path, bin: Path, layers: Iterable[Layer], elements: Mapping[str, ElementTree.Element]
) -> dict[str, npt.NDArray[Any]]:
    blob = _read_bytes(bin, MAX_BIN_BYTES)
    constants: dict[str, npt.NDArray[Any]] = {}
    total_bytes = 0
    for name, data in elements.items():
        where = f"constant {name!r}"
        dtype = ELEMENT_TYPES.get(data.get("element_type", ""))
        if dtype is None:
            raise _refuse(xml, f"{where} holds {data.get('element_type')!r}, which is not known")
        shape = tuple(
            _number(xml, f"the shape of {where}", size)
            for size in data.get("shape", "").split(",")
            if size.strip()
        )  # () for a scalar
        offset = _number(xml, f"the offset of {where}", data.get("offset"))
        size_bytes = _number(xml, f"the size of {where}", data.get("size"))
        if prod(shape) * dtype.itemsize != size_bytes or size_bytes == 0 or len(shape) > 8:
            raise _refuse(xml, f"{where} has shape {list(shape)[:8]} but {size_bytes} bytes")
        if offset + size_bytes > len(blob):
            raise _refuse(
                xml,
                f"{where} ends at byte {offset + size_bytes}, but {bin.name} has {len(blob)}",
            )
        total_bytes += size_bytes
        if total_bytes > MAX_SHARING * len(blob):
            raise _refuse(xml, f"its constants take more than {MAX_SHARING} times {bin.name}")
        flat = np.frombuffer(blob, dtype, count=prod(shape), offset=offset)
        constants[name] = flat.reshape(shape).copy()  # aligned, writable, and its own memory
    return constants


def _in_order(xml: Path, layers: tuple[Layer, ...], edges: tuple[Edge, ...]) -> tuple[Layer, ...]:
    """Layers so that each comes after all that feed it (the file lists them in another order)."""
    by_id = {layer.layer_id: layer for layer in layers}
    waiting_for = dict.fromkeys(by_id, 0)
    fed_by: dict[int, list[int]] = {layer_id: [] for layer_id in by_id}
    for edge in edges:
        waiting_for[edge.to_layer_id] += 1
        fed_by[edge.from_layer_id].append(edge.to_layer_id)
    ready = deque(layer_id for layer_id, count in waiting_for.items() if count == 0)
    order: list[Layer] = []
    while ready:
        layer_id = ready.popleft()
        order.append(by_id[layer_id])
        for user_id in fed_by[layer_id]:
            waiting_for[user_id] -= 1
            if waiting_for[user_id] == 0:
                ready.append(user_id)
    if len(order) != len(layers):
        raise _refuse(xml, "its layers feed each other in a circle")
    return tuple(order)

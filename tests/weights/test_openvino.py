"""Reading a graph: what it holds, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from megafs_video.errors import WeightsError
from megafs_video.weights.openvino import Graph, read_ir

# x -> Add <- bias; the Add comes first in the file and its ports are listed out of order.
TINY = """<?xml version="1.0" ?>
<net name="tiny" version="10">
  <layers>
    <layer id="2" name="sum" type="Add">
      <data auto_broadcast="numpy"/>
      <input><port id="0"/><port id="1"/></input>
      <output><port id="2"/></output>
    </layer>
    <layer id="0" name="x" type="Parameter">
      <data shape="1, 3" element_type="f32"/><output><port id="0"/></output>
    </layer>
    <layer id="1" name="bias" type="Const">
      <data element_type="f32" shape="1, 3" offset="4" size="12"/>
      <output><port id="0"/></output>
    </layer>
    <layer id="3" name="bias" type="Const">
      <data element_type="i32" shape="" offset="0" size="4"/>
      <output><port id="0"/></output>
    </layer>
  </layers>
  <edges>
    <edge from-layer="1" from-port="0" to-layer="2" to-port="1"/>
    <edge from-layer="0" from-port="0" to-layer="2" to-port="0"/>
  </edges>
</net>
"""
TINY_BIN = np.int32(7).tobytes() + np.array([1.5, -2.0, 3.0], "<f4").tobytes()


def read(folder: Path, xml: str | bytes = TINY, flat: bytes = TINY_BIN) -> Graph:
    (folder / "net.xml").write_bytes(xml.encode() if isinstance(xml, str) else xml)
    (folder / "net.bin").write_bytes(flat)
    return read_ir(folder / "net.xml", folder / "net.bin")


def test_constants_have_their_values_shapes_and_unique_names(tmp_path: Path) -> None:
    constants = read(tmp_path).constants
    assert list(constants) == ["bias", "bias#3"]
    np.testing.assert_array_equal(constants["bias"], np.float32([[1.5, -2.0, 3.0]]))
    assert constants["bias#3"].shape == ()
    assert constants["bias#3"] == 7
    assert constants["bias"].flags.writeable


def test_inputs_come_in_the_order_of_the_ports(tmp_path: Path) -> None:
    graph = read(tmp_path)
    assert graph.inputs_of("sum") == ("x", "bias")
    assert graph.inputs_of("x") == ()
    assert graph.users_of("bias") == ("sum",)
    with pytest.raises(KeyError, match="nobody"):
        graph.inputs_of("nobody")


def test_nodes_come_after_what_feeds_them(tmp_path: Path) -> None:
    graph = read(tmp_path)
    names = [layer.name for layer in graph.nodes_in_order]
    assert sorted(names) == sorted(layer.name for layer in graph.layers)
    assert names.index("sum") > max(names.index("x"), names.index("bias"))


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [
        ('offset="4" size="12"', 'offset="8" size="12"', "ends at byte 20, but net.bin has 16"),
        ('offset="4" size="12"', 'offset="-4" size="12"', "offset of constant 'bias' is '-4'"),
        ('offset="4" size="12"', f'offset="{"9" * 40}" size="12"', "wanted a whole number"),
        ('offset="4" size="12"', 'size="12"', "offset of constant 'bias' is ''"),
        ('shape="1, 3" offset', 'shape="1, 4" offset', "has shape [1, 4] but 12 bytes"),
        ('shape="1, 3" offset', 'shape="1, -3" offset', "shape of constant 'bias' is '-3'"),
        ('shape="1, 3" offset="4" size="12"', 'shape="0" offset="0" size="0"', "but 0 bytes"),
        ('element_type="i32"', 'element_type="string"', "holds 'string', which is not known"),
        ('<net name="tiny" version="10">', '<net version="7">', "its version is '7'"),
        ('id="3" name="bias"', 'id="1" name="other"', "two layers have the id 1"),
        ('from-layer="1"', 'from-layer="9"', "an edge leaves 9:0: no such port"),
        ('from-port="0" to-layer="2" to-port="1"', 'from-port="0" to-layer="2"', "to-port of an"),
        ('to-layer="2" to-port="1"', 'to-layer="2" to-port="7"', "enters 2:7: no such port"),
        ('to-layer="2" to-port="1"', 'to-layer="2" to-port="0"', "two edges enter port 0"),
        ('from-layer="1" from-port="0"', 'from-layer="2" from-port="2"', "in a circle"),
        ("<?xml", '<!DOCTYPE net [<!ENTITY a "b">]><?xml', "declares a DOCTYPE"),
        ("</net>", "", "no element found"),
    ],
)
def test_a_graph_that_does_not_add_up_is_refused(
    tmp_path: Path, before: str, after: str, fault: str
) -> None:
    assert before in TINY
    with pytest.raises(WeightsError) as caught:
        read(tmp_path, TINY.replace(before, after, 1))
    assert fault in str(caught.value)
    assert "models fetch" in str(caught.value)


def test_a_doctype_cannot_hide_in_another_encoding(tmp_path: Path) -> None:
    hidden = '<?xml version="1.0" encoding="utf-16"?><!DOCTYPE net []><net version="10"/>'
    with pytest.raises(WeightsError, match="is not a graph that can be read"):
        read(tmp_path, hidden.encode("utf-16"))


def test_constants_that_share_the_whole_file_over_and_over_are_refused(tmp_path: Path) -> None:
    layers = "".join(
        f'<layer id="{i}" name="c{i}" type="Const">'
        '<data element_type="u8" shape="16" offset="0" size="16"/></layer>'
        for i in range(5)
    )
    with pytest.raises(WeightsError, match=r"more than 2 times net\.bin"):
        read(tmp_path, f'<net version="10"><layers>{layers}</layers></net>')


def test_an_empty_graph_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="it has no layers"):
        read(tmp_path, '<net version="10"/>')
    with pytest.raises(WeightsError, match=r"gone\.xml cannot be read"):
        read_ir(tmp_path / "gone.xml", tmp_path / "net.bin")

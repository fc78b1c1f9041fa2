"""A BERT encoder with mean pooling as an ONNX graph, from the weights of a safetensors file; needs the package onnx.

The architecture is that of Devlin et al. 2018 as the Hugging Face configuration `model_type = "bert"` describes it, and the
pooling that of Reimers and Gurevych 2019 (Sentence-BERT). The graph takes `input_ids` and `attention_mask`, int64 (mails,
tokens), and gives `vectors`, float32 (mails, dimensions), whose length is not yet 1. What never changes from mail to mail is
worked out beforehand: the three projections of attention are one product, its scale is in their weights, and the only token
type that is used is in the table of positions.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

Weights: TypeAlias = Mapping[str, NDArray[np.float32]]

OPSET: Final = 17
IR_VERSION: Final = 8
"""What onnxruntime has read since 1.12; LayerNormalization came with operator set 17."""

_LENGTH_BYTES: Final = 8
_LARGEST_HEADER: Final = 10_000_000
_DTYPES: Final[Mapping[str, np.dtype[Any]]] = {"F32": np.dtype("<f4"), "F16": np.dtype("<f2")}
_HIDDEN_BY_MASK: Final = np.float32(-10_000.0)


class Architecture(BaseModel):
    """What config.json says of the network; other keys do not matter here."""

    model_config = ConfigDict(frozen=True)

    model_type: Literal["bert"]
    hidden_act: Literal["gelu"] = "gelu"
    hidden_size: int = Field(ge=1, le=8192)
    num_hidden_layers: int = Field(ge=1, le=100)
    num_attention_heads: int = Field(ge=1, le=256)
    max_position_embeddings: int = Field(ge=8, le=100_000)
    layer_norm_eps: float = Field(gt=0, lt=1)
    position_embedding_type: Literal["absolute"] = "absolute"


def read_safetensors(content: bytes) -> dict[str, NDArray[np.float32]]:
    """Read the tensors of a safetensors file: 8 bytes of length, a JSON header, then the numbers, little-endian.

    Tensors of other types than 16- and 32-bit floats are passed over. Raises ValueError where the bytes are no such file.
    """
    length = int.from_bytes(content[:_LENGTH_BYTES], "little")
    if not 0 < length <= min(_LARGEST_HEADER, len(content)):
        raise ValueError("no safetensors header")
    header = json.loads(content[_LENGTH_BYTES : _LENGTH_BYTES + length])
    data = memoryview(content)[_LENGTH_BYTES + length :]
    tensors = {}
    for name, said in header.items():
        if name == "__metadata__" or said["dtype"] not in _DTYPES:
            continue
        start, end = said["data_offsets"]
        numbers: NDArray[Any] = np.frombuffer(data[start:end], dtype=_DTYPES[said["dtype"]])
        tensors[name] = numbers.reshape(said["shape"]).astype(np.float32)
    return tensors


def build_graph(weights: Weights, architecture: Architecture) -> ModelProto:
    """Make the graph. Raises KeyError where a weight is missing, ValueError where one is not of its shape."""
    from onnx import TensorProto, checker, helper, numpy_helper

    graph = _Graph(_unprefixed(weights), architecture)
    output = graph.build()
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, ["mails", "tokens"]) for name in INPUTS]
    vectors = helper.make_tensor_value_info(output, TensorProto.FLOAT, ["mails", architecture.hidden_size])
    made = helper.make_graph(
        graph.nodes,
        "bert",
        inputs,
        [vectors],
        [numpy_helper.from_array(np.ascontiguousarray(array), name) for name, array in graph.constants.items()],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="cubbyd")
    model.ir_version = IR_VERSION
    checker.check_model(model)
    return model


INPUTS: Final = ("input_ids", "attention_mask")
OUTPUT: Final = "vectors"


def _unprefixed(weights: Weights) -> dict[str, NDArray[np.float32]]:
    return {name.removeprefix("bert."): array for name, array in weights.items()}


@dataclass(frozen=True, slots=True)
class _Graph:
    """A graph in the making: its nodes, in order, and its constants."""

    weights: Weights
    architecture: Architecture
    nodes: list[NodeProto]
    constants: dict[str, NDArray[Any]]

    def __init__(self, weights: Weights, architecture: Architecture) -> None:
        for name, value in (("weights", weights), ("architecture", architecture), ("nodes", []), ("constants", {})):
            object.__setattr__(self, name, value)

    def build(self) -> str:
        """Add everything; give the name of the output."""
        hidden = self._embed()
        mask = self._mask()
        for number in range(self.architecture.num_hidden_layers):
            hidden = self._layer(hidden, mask, f"encoder.layer.{number}")
        return self._pool(hidden)

    def _node(self, operator: str, inputs: list[str], output: str = "", **attributes: Any) -> str:
        from onnx import helper

        output = output or f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def _constant(self, name: str, array: NDArray[Any]) -> str:
        self.constants[name] = array
        return name

    def _numbers(self, *numbers: int) -> str:
        return self._constant("numbers_" + "_".join(map(str, numbers)), np.array(numbers, dtype=np.int64))

    def _normalize(self, value: str, name: str) -> str:
        scale = self._constant(f"{name}.weight", self.weights[f"{name}.weight"])
        bias = self._constant(f"{name}.bias", self.weights[f"{name}.bias"])
        return self._node("LayerNormalization", [value, scale, bias], axis=-1, epsilon=self.architecture.layer_norm_eps)

    def _linear(self, value: str, name: str, matrix: NDArray[np.float32], bias: NDArray[np.float32]) -> str:
        product = self._node("MatMul", [value, self._constant(f"{name}.matrix", matrix)])
        return self._node("Add", [product, self._constant(f"{name}.bias", bias)])

    def _dense(self, value: str, name: str) -> str:
        return self._linear(value, name, self.weights[f"{name}.weight"].T, self.weights[f"{name}.bias"])

    def _embed(self) -> str:
        words = self._constant("words", self.weights["embeddings.word_embeddings.weight"])
        places = (
            self.weights["embeddings.position_embeddings.weight"] + self.weights["embeddings.token_type_embeddings.weight"][0]
        )
        length = self._node("Slice", [self._node("Shape", ["input_ids"]), self._numbers(1), self._numbers(2)])
        first = self._node("Slice", [self._constant("places", places), self._numbers(0), length, self._numbers(0)])
        spelled = self._node("Gather", [words, "input_ids"], axis=0)
        return self._normalize(self._node("Add", [spelled, first]), "embeddings.LayerNorm")

    def _mask(self) -> str:
        """Give what is added to attention: 0 for a token, far below for padding; (mails, 1, 1, tokens)."""
        is_token = self._node("Cast", ["attention_mask"], "is_token", to=1)
        missing = self._node("Sub", [self._constant("one", np.array(1, dtype=np.float32)), is_token])
        far_below = self._node("Mul", [missing, self._constant("far_below", np.array(_HIDDEN_BY_MASK))])
        return self._node("Unsqueeze", [far_below, self._numbers(1, 2)])

    def _layer(self, hidden: str, mask: str, name: str) -> str:
        attended = self._dense(self._attend(hidden, mask, f"{name}.attention.self"), f"{name}.attention.output.dense")
        hidden = self._normalize(self._node("Add", [attended, hidden]), f"{name}.attention.output.LayerNorm")
        inner = self._gelu(self._dense(hidden, f"{name}.intermediate.dense"))
        outer = self._dense(inner, f"{name}.output.dense")
        return self._normalize(self._node("Add", [outer, hidden]), f"{name}.output.LayerNorm")

    def _attend(self, hidden: str, mask: str, name: str) -> str:
        heads, size = self.architecture.num_attention_heads, self.architecture.hidden_size
        scale = np.float32(1 / math.sqrt(size // heads))
        scales = {"query": scale, "key": np.float32(1), "value": np.float32(1)}
        matrix = np.hstack([self.weights[f"{name}.{part}.weight"].T * by for part, by in scales.items()])
        bias = np.concatenate([self.weights[f"{name}.{part}.bias"] * by for part, by in scales.items()])
        by_head = self._node(
            "Reshape", [self._linear(hidden, name, matrix, bias), self._numbers(0, 0, 3 * heads, size // heads)]
        )
        thirds = self._node("Transpose", [by_head], perm=[0, 2, 1, 3])
        query, key, value = (
            self._node("Slice", [thirds, self._numbers(part * heads), self._numbers((part + 1) * heads), self._numbers(1)])
            for part in range(3)
        )
        scores = self._node("MatMul", [query, self._node("Transpose", [key], perm=[0, 1, 3, 2])])
        shares = self._node("Softmax", [self._node("Add", [scores, mask])], axis=-1)
        mixed = self._node("Transpose", [self._node("MatMul", [shares, value])], perm=[0, 2, 1, 3])
        return self._node("Reshape", [mixed, self._numbers(0, 0, size)])

    def _gelu(self, value: str) -> str:
        root = self._constant("root_of_two", np.array(math.sqrt(2), dtype=np.float32))
        erf = self._node("Erf", [self._node("Div", [value, root])])
        doubled = self._node("Mul", [value, self._node("Add", [erf, "one"])])
        return self._node("Mul", [doubled, self._constant("half", np.array(0.5, dtype=np.float32))])

    def _pool(self, hidden: str) -> str:
        weight = self._node("Unsqueeze", ["is_token", self._numbers(2)])
        total = self._node("ReduceSum", [self._node("Mul", [hidden, weight]), self._numbers(1)], keepdims=0)
        count = self._node("ReduceSum", [weight, self._numbers(1)], keepdims=0)
        return self._node("Div", [total, count], OUTPUT)

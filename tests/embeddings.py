"""A tiny embedding model with random weights, made on the spot, and examples to train on; the real one where there is one."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from cubbyd.dataset.example import Example
from cubbyd.taxonomy import CategoryId

WORDS = (
    *("[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "the", "he", "she", "is", "ill", "sick", "fever", "home", "today", "invoice"),
    *("wrong", "receipt", "tuition", "payment", "bill", "question", "paid", "uncle", "collects", "her", "him", "at", "four"),
    *("milk", "allergy", "nuts", "no", "please", "lunch", "drinks", "oat", "for", "emma", "noah"),
)
SIZE, LAYERS, HEADS, INNER, PLACES = 32, 2, 4, 24, 32

TEXTS = {
    "absence": ("a fever tonight", "fever again", "home with a fever", "the fever is high", "no fever now, still home"),
    "billing": ("the invoice is wrong", "one invoice more", "invoice for May", "please send the invoice", "paid the invoice"),
    "pickup": ("grandma collects her", "his uncle collects him", "who collects her", "late, aunt collects", "collects at four"),
}


def examples(texts: Mapping[str, tuple[str, ...]] = TEXTS) -> list[Example]:
    """Give the examples, with lines as if they stood in a file."""
    pairs = [(label, body) for label, bodies in texts.items() for body in bodies]
    return [
        Example(subject="", body=body, labels=(CategoryId(label),), line=line) for line, (label, body) in enumerate(pairs, 1)
    ]


def write_download(folder: Path) -> str:
    """Write what a download of a tiny BERT would be; give the digest of its weights."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "model_type": "bert",
        "hidden_size": SIZE,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "max_position_embeddings": PLACES,
        "layer_norm_eps": 1e-12,
        "hidden_act": "gelu",
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer.json").write_text(make_tokenizer())
    content = to_safetensors(random_weights())
    (folder / "model.safetensors").write_bytes(content)
    return sha256(content).hexdigest()


def make_tokenizer() -> str:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    tokenizer = Tokenizer(models.WordPiece({word: place for place, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    text: str = tokenizer.to_str()
    return text


def random_weights(seed: int = 5) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(seed)

    def draw(*shape: int) -> np.ndarray:
        return generator.normal(0, 0.5, shape).astype(np.float32)

    weights = {
        "embeddings.word_embeddings.weight": draw(len(WORDS), SIZE),
        "embeddings.position_embeddings.weight": draw(PLACES, SIZE),
        "embeddings.token_type_embeddings.weight": draw(2, SIZE),
        "embeddings.LayerNorm.weight": 1 + draw(SIZE),
        "embeddings.LayerNorm.bias": draw(SIZE),
    }
    for number in range(LAYERS):
        shapes = {
            **{f"attention.self.{part}": (SIZE, SIZE) for part in ("query", "key", "value")},
            "attention.output.dense": (SIZE, SIZE),
            "intermediate.dense": (INNER, SIZE),
            "output.dense": (SIZE, INNER),
        }
        for name, shape in shapes.items():
            weights[f"encoder.layer.{number}.{name}.weight"] = draw(*shape)
            weights[f"encoder.layer.{number}.{name}.bias"] = draw(shape[0])
        for name in ("attention.output.LayerNorm", "output.LayerNorm"):
            weights[f"encoder.layer.{number}.{name}.weight"] = 1 + draw(SIZE)
            weights[f"encoder.layer.{number}.{name}.bias"] = draw(SIZE)
    return weights


def to_safetensors(weights: dict[str, np.ndarray]) -> bytes:
    header, data = {}, b""
    for name, array in weights.items():
        header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [len(data), len(data) + array.nbytes]}
        data += array.tobytes()
    said = json.dumps(header).encode()
    return len(said).to_bytes(8, "little") + said + data


def make_folder(folder: Path, precision: str = "fp32") -> Path:
    """Convert the tiny download."""
    for package in ("onnx", "onnxruntime", "tokenizers"):
        pytest.importorskip(package, reason="the extra cubbyd[embedding-model] is not installed")
    from cubbyd.training.embedder import convert

    digest = write_download(folder / "download")
    convert(folder / "download", folder / precision, precision=precision, expected=digest, name="tiny")  # type: ignore[arg-type]
    return folder / precision


def real_folder() -> Path:
    """Find a converted all-MiniLM-L6-v2."""
    folder = os.environ.get("CUBBYD_EMBEDDING_MODEL", "")
    if not folder or not Path(folder, "embedding.json").is_file():
        pytest.skip("no real embedding model: $CUBBYD_EMBEDDING_MODEL names no folder of `cubbyd embedding-model`")
    return Path(folder)

"""The LAL-RL Q-network as plain arrays, and as the flat vector that the kernels work on."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from agents.lal_rl import kernels
from lal.errors import PolicyFileError

Float32s = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class QNetwork:
    """Weights of the network, 386 numbers.

    Attributes:
        state: State to the first layer, shape (30, 10).
        state_bias: Shape (10,).
        joint: First layer and candidate features to the second, shape (13, 5).
        joint_bias: Shape (5,).
        out: Shape (5,).
        out_bias: Shape (1,).
    """

    state: Float32s
    state_bias: Float32s
    joint: Float32s
    joint_bias: Float32s
    out: Float32s
    out_bias: Float32s

    def q_values(self, context: Float32s, candidates: Float32s) -> Float32s:
        """Return Q of every candidate, shape (N,), for a context (30,) and candidates (N, 3)."""
        hidden = _sigmoid(context @ self.state + self.state_bias)
        joint = hidden @ self.joint[: kernels.N_HIDDEN] + self.joint_bias
        units = _sigmoid(joint + candidates @ self.joint[kernels.N_HIDDEN :])
        values: Float32s = units @ self.out + self.out_bias
        return values

    def pack(self) -> Float32s:
        """Return the flat, padded vector of the kernels."""
        theta = np.zeros(kernels.SIZE, dtype=np.float32)
        for part, value in zip(_places(theta), self._parts(), strict=True):
            part[...] = value
        return theta

    def _parts(self) -> tuple[Float32s, ...]:
        first, second = np.split(self.joint, [kernels.N_HIDDEN])
        return (
            self.state, self.state_bias, first.T, second.T, self.joint_bias, self.out,
            self.out_bias,
        )  # fmt: skip

    @classmethod
    def unpack(cls, theta: Float32s) -> "QNetwork":
        """Return the network that a flat vector holds."""
        state, state_bias, first, second, joint_bias, out, out_bias = _places(theta.copy())
        joint = np.concatenate([first.T, second.T])
        return cls(state, state_bias, joint, joint_bias, out, out_bias)

    @classmethod
    def random(cls, rng: np.random.Generator, out_bias: float = 0.0) -> "QNetwork":
        """Return weights drawn as in Glorot and Bengio (2010), uniform, with zero biases."""

        def draw(n_in: int, n_out: int) -> Float32s:
            limit = np.sqrt(6.0 / (n_in + n_out))
            return rng.uniform(-limit, limit, (n_in, n_out)).astype(np.float32)

        zeros = [np.zeros(n, dtype=np.float32) for n in (kernels.N_HIDDEN, kernels.N_JOINT)]
        joint = draw(kernels.N_HIDDEN + kernels.N_FEATURES, kernels.N_JOINT)
        out = draw(kernels.N_JOINT, 1)[:, 0]
        bias = np.array([out_bias], dtype=np.float32)
        return cls(draw(kernels.N_STATE, kernels.N_HIDDEN), zeros[0], joint, zeros[1], out, bias)

    def save(self, path: str | Path, *, symmetric: bool) -> None:
        """Write the weights to a safetensors file, with how the network is to be fed."""
        tensors = {f.name: np.array(getattr(self, f.name), order="C") for f in fields(self)}
        tensors["symmetric"] = np.array([symmetric], dtype=np.uint8)
        save_file(tensors, path)

    @classmethod
    def load(cls, path: str | Path) -> tuple["QNetwork", bool]:
        """Return the weights of a file and whether the network takes symmetric inputs."""
        tensors: dict[str, Any] = load_file(path)
        missing = {f.name for f in fields(cls)} | {"symmetric"}
        missing -= set(tensors)
        if missing:
            raise PolicyFileError(f"{path} is no LAL-RL network: it lacks {sorted(missing)}")
        symmetric = bool(tensors.pop("symmetric")[0])
        return cls(**{f.name: tensors[f.name] for f in fields(cls)}), symmetric


def _sigmoid(z: Float32s) -> Float32s:
    values: Float32s = (1 / (1 + np.exp(-z))).astype(np.float32)
    return values


def _places(theta: Float32s) -> tuple[Float32s, ...]:
    """Return views of the parts of a flat vector, padding left out."""
    k = kernels
    state = theta[k.W1 : k.B1].reshape(k.N_STATE, 16)[:, : k.N_HIDDEN]
    first = theta[k.W2 : k.W2A].reshape(k.N_JOINT, 16)[:, : k.N_HIDDEN]
    second = theta[k.W2A : k.B2].reshape(k.N_JOINT, k.N_FEATURES)
    return (
        state, theta[k.B1 : k.B1 + k.N_HIDDEN], first, second, theta[k.B2 : k.W3],
        theta[k.W3 : k.B3], theta[k.B3 : k.B3 + 1],
    )  # fmt: skip

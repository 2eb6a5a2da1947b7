"""Encode: aligned crops become codes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from megafs_video.pipeline.batch import map_faces
from megafs_video.pipeline.contract import FaceModel
from megafs_video.pixels import to_device
from megafs_video.values import AlignedCrop, EncodedFace, FrameFaces, Latents


@dataclass(frozen=True)
class Encode:
    """Stage that reads the W++ codes of every crop (paper §3.1)."""

    model: FaceModel
    batch_size: int = 1  # faces that go through the network together

    @property
    def lookahead(self) -> int:
        """Frames it waits for to fill a batch."""
        return self.batch_size - 1

    def __call__(
        self, items: Iterator[FrameFaces[AlignedCrop]]
    ) -> Iterator[FrameFaces[EncodedFace]]:
        return map_faces(items, self.batch_size, self._encode)

    def _encode(self, crops: Sequence[AlignedCrop]) -> list[EncodedFace]:
        pixels = to_device([crop.pixels for crop in crops], self.model.device)  # [N, 3, S, S]
        latents = on_host(self.model.encode(pixels))
        return [
            EncodedFace(crop.track_id, crop, latents[i : i + 1]) for i, crop in enumerate(crops)
        ]


def on_host(latents: Latents) -> Latents:
    """The same codes in float32 on the host."""
    return Latents(latents.constant.float().cpu(), latents.styles.float().cpu())

"""Transfer: the codes of the target's face take on the source's identity."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from megafs_video.pipeline.batch import map_faces
from megafs_video.pipeline.contract import FaceModel
from megafs_video.pipeline.encode import on_host
from megafs_video.values import EncodedFace, FrameFaces, Latents


@dataclass(frozen=True)
class Transfer:
    """Stage that swaps the identity (paper §3.2); the source was encoded once."""

    model: FaceModel
    source_latents: Latents  # N = 1, on the model's device
    batch_size: int = 1  # faces that go through the network together

    def __post_init__(self) -> None:
        if len(self.source_latents) != 1:
            raise ValueError(
                f"Transfer.source_latents holds {len(self.source_latents)} faces, wanted 1"
            )

    @property
    def lookahead(self) -> int:
        """Frames it waits for to fill a batch."""
        return self.batch_size - 1

    def __call__(
        self, items: Iterator[FrameFaces[EncodedFace]]
    ) -> Iterator[FrameFaces[EncodedFace]]:
        return map_faces(items, self.batch_size, self._transfer)

    def _transfer(self, faces: Sequence[EncodedFace]) -> list[EncodedFace]:
        target = Latents.concat([face.latents for face in faces])
        device = self.model.device
        swapped = on_host(
            self.model.transfer(
                self.source_latents,
                Latents(target.constant.to(device), target.styles.to(device)),
            )
        )
        return [replace(face, latents=swapped[i : i + 1]) for i, face in enumerate(faces)]

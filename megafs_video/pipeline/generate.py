"""Generate: codes become pictures of the swapped face."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from megafs_video.pipeline.batch import map_faces
from megafs_video.pipeline.contract import FaceModel
from megafs_video.pixels import to_host
from megafs_video.values import (
    AlignedCrop,
    EncodedFace,
    FloatArray,
    FrameFaces,
    Latents,
    SwappedCrop,
)


@dataclass(frozen=True)
class Generate:
    """Stage that draws the swapped faces (paper §3.3) and says where each may be seen."""

    model: FaceModel
    mask: Callable[[AlignedCrop], FloatArray]  # [S, S] in [0, 1], 0 at the edge of the crop
    batch_size: int = 1  # faces that go through the network together

    @property
    def lookahead(self) -> int:
        """Frames it waits for to fill a batch."""
        return self.batch_size - 1

    def __call__(
        self, items: Iterator[FrameFaces[EncodedFace]]
    ) -> Iterator[FrameFaces[SwappedCrop]]:
        return map_faces(items, self.batch_size, self._generate)

    def _generate(self, faces: Sequence[EncodedFace]) -> list[SwappedCrop]:
        latents = Latents.concat([face.latents for face in faces])
        device = self.model.device
        pictures = to_host(
            self.model.generate(Latents(latents.constant.to(device), latents.styles.to(device)))
        )  # [N, R, R, 3]
        return [
            SwappedCrop(
                face.track_id,
                picture,
                self.mask(face.crop),
                face.crop.frame_to_crop,
                face.crop.source_index,
                face.crop.opacity,
                face.crop.motion,
            )
            for face, picture in zip(faces, pictures, strict=True)
        ]

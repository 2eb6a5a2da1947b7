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
    """Stage that swaps the identity (paper §3.2); each source was encoded once."""

    model: FaceModel
    source_latents: tuple[Latents, ...]  # N = 1 each, on the model's device; faces say which
    batch_size: int = 1  # faces that go through the network together

    def __post_init__(self) -> None:
        for source in self.source_latents:
            if len(source) != 1:
                raise ValueError(f"a source of Transfer holds {len(source)} faces, wanted 1")

    @property
    def lookahead(self) -> int:
        """Frames it waits for to fill a batch."""
        return self.batch_size - 1

    def __call__(
        self, items: Iterator[FrameFaces[EncodedFace]]
    ) -> Iterator[FrameFaces[EncodedFace]]:
        return map_faces(items, self.batch_size, self._transfer)

    def _transfer(self, faces: Sequence[EncodedFace]) -> list[EncodedFace]:
        swapped: dict[int, Latents] = {}  # by the place among the faces
        for source_index in {face.crop.source_index for face in faces}:
            places = [i for i, face in enumerate(faces) if face.crop.source_index == source_index]
            target = Latents.concat([faces[i].latents for i in places])
            found = self._swap(self.source_latents[source_index], target)
            swapped.update((i, found[row : row + 1]) for row, i in enumerate(places))
        return [replace(face, latents=swapped[i]) for i, face in enumerate(faces)]

    def _swap(self, source: Latents, target: Latents) -> Latents:
        device = self.model.device
        on_device = Latents(target.constant.to(device), target.styles.to(device))
        return on_host(self.model.transfer(source, on_device))

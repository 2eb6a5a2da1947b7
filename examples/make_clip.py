"""Make the example: a photograph and a speaking person, neither of whom exists.

Run: python examples/make_clip.py [--folder examples]      (four minutes on two cores)

Our own generator draws both people. To make one of them move, 240 faces are drawn and measured
with the face mesh: how far each is turned, how far the mouth is open. What the codes of turned
faces have in common is a direction: adding it to the low codes of one person turns this head and
changes little else. A slow camera gives the tracker something to follow, and a hummed voice rises
and falls with the mouth.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from megafs_video.faces.mesh import build_mesh
from megafs_video.faces.scrfd import build_scrfd
from megafs_video.networks.dims import Dims
from megafs_video.parts import build_generator, build_style_mapper
from megafs_video.training.rendered import style_statistics
from megafs_video.values import Latents, UInt8Array
from megafs_video.weights.fetch import ensure

SOURCE_SEED, TARGET_SEED = 6, 27  # looked at: two adults who are not alike
TRUNCATION = 0.6
NUM_MEASURED = 240
NUM_SECONDS, FRAME_RATE = 3, 24
HEIGHT, WIDTH = 432, 640
PICTURE_SIZE = 468  # side of the generated picture in the scene: its face is about 260 px high
MARGIN = 130  # pixels of backdrop on both sides of the generated picture
SOUND_RATE, SOUND_FRAME = 48_000, 1024

# Codes that turn or nod the head, and codes that move the mouth.
POSE_CODES, MOUTH_CODES = slice(0, 4), slice(2, 7)
NOSE, LEFT_IRIS, RIGHT_IRIS, UPPER_LIP, LOWER_LIP = 1, 468, 473, 13, 14  # points of the mesh


class Studio:
    """The generator, as a photographer who never needs a model."""

    def __init__(self) -> None:
        dims = Dims()
        networks, kinds = ("synthesis", "mapping"), ("xml", "bin")
        paths = ensure([f"generator-{name}-{kind}" for name in networks for kind in kinds])
        self.num_styles = dims.num_styles
        self.generator = build_generator(
            paths["generator-synthesis-xml"], paths["generator-synthesis-bin"], dims
        )
        self.mapper = build_style_mapper(
            paths["generator-mapping-xml"], paths["generator-mapping-bin"], dims
        )
        self.mean, _ = style_statistics(self.mapper, dims.style_size)

    @torch.inference_mode()
    def codes(self, seed: int, count: int = 1) -> Tensor:
        """Style codes [count, 512] of people near enough to the mean to look natural."""
        noise = torch.randn(count, len(self.mean), generator=torch.Generator().manual_seed(seed))
        codes: Tensor = self.mean + TRUNCATION * (self.mapper(noise) - self.mean)
        return codes

    @torch.inference_mode()
    def draw(self, styles: Tensor, size: int) -> UInt8Array:
        """The picture [size, size, 3] of one code [1, 512], or one a layer [1, L, 512]."""
        if styles.ndim == 2:
            styles = styles[:, None].repeat(1, self.num_styles, 1)
        pixels = self.generator(Latents(self.generator.constant, styles))[0]  # [3, 1024, 1024]
        host = ((pixels + 1) * 127.5).round().clamp(0, 255).byte().permute(1, 2, 0).numpy()
        return np.asarray(cv2.resize(host, (size, size), interpolation=cv2.INTER_AREA), np.uint8)


def find_directions(studio: Studio) -> Tensor:
    """Unit vectors [3, 512] along which faces turn to the right, nod, and open the mouth."""
    paths = ensure(["scrfd", "face-mesh"])
    detector = build_scrfd(paths["scrfd"])
    kept, measured = [], []
    with build_mesh(paths["face-mesh"]) as mesh:
        for codes in studio.codes(seed=5, count=NUM_MEASURED).chunk(NUM_MEASURED):
            pixels = studio.draw(codes, 256)
            found = detector.detect(pixels)
            face = mesh.refine(pixels, found[0]) if found else None
            if face is not None:
                kept.append(codes)
                measured.append(measure(face.landmarks_xy))
    codes, measures = torch.cat(kept), torch.tensor(np.array(measured), dtype=torch.float32)
    measures = (measures - measures.mean(dim=0)) / measures.std(dim=0)  # [N, 3]
    directions: Tensor = measures.T @ (codes - codes.mean(dim=0))  # [3, 512]
    return directions.div(directions.norm(dim=1, keepdim=True))


def measure(mesh_xy: npt.NDArray[np.floating[Any]]) -> list[float]:
    """Turn, nod and opening of the mouth, in distances between the eyes."""
    eyes_xy = (mesh_xy[LEFT_IRIS] + mesh_xy[RIGHT_IRIS]) / 2
    unit = np.linalg.norm(mesh_xy[RIGHT_IRIS] - mesh_xy[LEFT_IRIS])
    across, down = (mesh_xy[NOSE] - eyes_xy) / unit
    return [across, down, float(np.linalg.norm(mesh_xy[LOWER_LIP] - mesh_xy[UPPER_LIP]) / unit)]


def mouth_opening(seconds: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Uneven syllables, three or four a second, with a breath after each phrase; 0 to 1."""
    syllables = np.sin(2 * np.pi * (1.7 * seconds + 0.12 * np.sin(2 * np.pi * 0.9 * seconds))) ** 2
    phrase = np.clip(1.6 * np.sin(np.pi * (seconds % 1.5) / 1.5), 0, 1)
    return syllables * phrase


def frames(studio: Studio, directions: Tensor) -> Iterator[UInt8Array]:
    """The person turns, nods and speaks while the camera drifts and comes nearer."""
    person = studio.codes(TARGET_SEED)[:, None].repeat(1, studio.num_styles, 1)
    turn, nod, open_mouth = directions
    for seconds in np.arange(NUM_SECONDS * FRAME_RATE) / FRAME_RATE:
        phase = 2 * np.pi * seconds / NUM_SECONDS
        styles = person.clone()
        styles[:, POSE_CODES] += (-1.4 + 1.5 * np.sin(phase)) * turn
        styles[:, POSE_CODES] += 0.6 * np.sin(2 * phase + 1) * nod
        styles[:, MOUTH_CODES] += 2.2 * float(mouth_opening(np.array(seconds))) * open_mouth
        scene = with_backdrop(studio.draw(styles, PICTURE_SIZE))
        zoom = 1.0 + 0.02 * (1 - np.cos(phase))
        looks_at_xy = np.array([scene.shape[1] / 2, scene.shape[0] / 2])
        looks_at_xy += 12 * np.sin(phase), 5 * np.sin(2 * phase)
        shift_xy = np.array([WIDTH / 2, HEIGHT / 2]) - zoom * looks_at_xy
        scene_to_frame = np.array([[zoom, 0, shift_xy[0]], [0, zoom, shift_xy[1]]])
        yield np.asarray(cv2.warpAffine(scene, scene_to_frame, (WIDTH, HEIGHT)), np.uint8)


def with_backdrop(picture: UInt8Array) -> UInt8Array:
    """The picture in the middle of its own blurred continuation, with a soft seam."""
    wide = cv2.copyMakeBorder(picture, 0, 0, MARGIN, MARGIN, cv2.BORDER_REPLICATE)
    backdrop = cv2.GaussianBlur(wide, (0, 0), 24)
    inside = np.zeros(wide.shape[:2], np.float32)
    inside[:, MARGIN + 24 : -MARGIN - 24] = 1
    mask = cv2.GaussianBlur(inside, (0, 0), 10)
    return np.asarray(cv2.blendLinear(wide, backdrop, mask, 1 - mask), np.uint8)


def voice() -> npt.NDArray[np.float32]:
    """A hum of 118 Hz with three formants, as loud as the mouth is open: [samples]."""
    seconds = np.arange(NUM_SECONDS * SOUND_RATE) / SOUND_RATE
    opening = mouth_opening(seconds)
    pitch_hz = 118 + 9 * np.sin(2 * np.pi * 0.7 * seconds) + 6 * opening
    phase = 2 * np.pi * np.cumsum(pitch_hz) / SOUND_RATE
    formants_hz = (500 + 250 * opening, 1300 - 200 * opening, 2500 + 0 * opening)
    sound = np.zeros_like(seconds)
    for harmonic in range(1, 30):
        heard = sum(np.exp(-(((harmonic * pitch_hz - f) / 160) ** 2)) for f in formants_hz)
        sound += (0.08 + heard) / harmonic * np.sin(harmonic * phase)
    return np.asarray(0.25 * opening * sound / np.abs(sound).max(), np.float32)


def write_clip(path: Path, pictures: Iterator[UInt8Array]) -> None:
    """An MP4 with H.264 and AAC; its timestamps count 1/24 s."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(
            "libx264", rate=FRAME_RATE, options={"crf": "20", "preset": "slow"}
        )
        stream.height, stream.width, stream.pix_fmt = HEIGHT, WIDTH, "yuv420p"
        sound: Any = container.add_stream("aac", rate=SOUND_RATE, layout="mono")
        for index, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, FRAME_RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        samples = voice()
        for start in range(0, len(samples), SOUND_FRAME):
            part = np.ascontiguousarray(samples[None, start : start + SOUND_FRAME])
            heard = av.AudioFrame.from_ndarray(part, format="fltp", layout="mono")
            heard.pts, heard.rate, heard.time_base = start, SOUND_RATE, Fraction(1, SOUND_RATE)
            container.mux(sound.encode(heard))
        container.mux(sound.encode(None))


def main() -> None:
    """Write ``source.jpg`` and ``target.mp4``."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path(__file__).parent)
    folder = parser.parse_args().folder
    studio = Studio()
    source = studio.draw(studio.codes(SOURCE_SEED), 512)
    Image.fromarray(source).save(folder / "source.jpg", quality=88)
    write_clip(folder / "target.mp4", frames(studio, find_directions(studio)))


if __name__ == "__main__":
    main()

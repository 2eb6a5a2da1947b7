"""Whose face is it now, and what else changed? One clip and the photograph swapped into it.

Run: python benchmarks/clips.py --source PHOTO --clip CLIP [--swapped FILE] [--every 10]

Makes the swap unless FILE exists, compares it with CLIP frame by frame and packet by packet, and
prints cosines by SFace and EdgeFace, which no training here has seen. Two rows give them a scale:
frames of the clip itself (one person), and pairs of photographs (strangers). The last column is
what the swap gains towards those strangers: an average face gains that without being anybody.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from megafs_video import swap_video
from megafs_video.evaluation.clips import (
    ClipComparison,
    compare_clips,
    photo_identities,
)
from megafs_video.evaluation.identity import load_recognisers, mean_pair_cosine
from megafs_video.faces.mesh import build_mesh
from megafs_video.faces.scrfd import build_scrfd
from megafs_video.training.faces import list_faces
from megafs_video.values import FloatArray
from megafs_video.weights.fetch import ensure

PHOTOS = Path(__file__).parents[2] / "shared" / "faces" / "photo"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", type=Path, required=True, help="the photograph to swap in")
    parser.add_argument("--clip", type=Path, required=True)
    parser.add_argument("--swapped", type=Path, help="made here if it does not exist yet")
    parser.add_argument("--model", default="mobile")
    parser.add_argument("--every", type=int, default=10, help="look at every so many frames")
    parser.add_argument("--photos", type=Path, default=PHOTOS, help="a folder of strangers")
    parser.add_argument("--num-photos", type=int, default=60)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        swapped = chosen.swapped or Path(folder) / f"swapped{chosen.clip.suffix}"
        if not swapped.exists():
            report = swap_video(chosen.source, chosen.clip, swapped, model=chosen.model)
            print(f"swapped {report.frames} frames in {report.seconds:.1f} s")
        paths = ensure(("scrfd", "face-mesh"))
        detector, recognisers = build_scrfd(paths["scrfd"]), load_recognisers()
        with build_mesh(paths["face-mesh"]) as mesh:
            others = None
            if chosen.photos.is_dir():
                photos = list_faces(chosen.photos, validation=True)
                step = max(1, len(photos) // chosen.num_photos)
                picked = [photo for photo in photos[::step] if photo.name != chosen.source.name]
                shown = track(picked, "looking at strangers", transient=True)
                others = photo_identities(shown, detector, mesh, recognisers)
            found = compare_clips(
                chosen.source,
                chosen.clip,
                swapped,
                detector,
                mesh,
                recognisers,
                every_frames=chosen.every,
                others=others,
            )
    console = Console()
    console.print(kept_table(chosen.clip, found))
    console.print(identity_table(found, others))


def kept_table(clip: Path, found: ClipComparison) -> Table:
    """What all but the face went through."""
    table = Table("", "target", "swapped", "same", title=clip.name)
    frames, moved = found.num_swapped_frames, found.num_moved_frames
    rows: list[tuple[str, object, object, bool]] = [
        ("frames", found.num_target_frames, frames, found.num_target_frames == frames),
        ("frames at another time", "", moved, moved == 0),
        (
            "duration, s",
            found.target_seconds,
            found.swapped_seconds,
            found.target_seconds == found.swapped_seconds,
        ),
        (
            "packets of sound, changed",
            found.num_sound_packets,
            found.num_changed_packets,
            found.keeps_sound,
        ),
    ]
    for name, before, after, is_same in rows:
        table.add_row(name, str(before), str(after), "yes" if is_same else "NO")
    table.add_row(
        f"no face in {found.num_sampled_frames} sampled",
        str(found.num_target_unfound),
        str(found.num_swapped_unfound),
        "",
    )
    return table


def identity_table(found: ClipComparison, others: dict[str, FloatArray] | None) -> Table:
    """Mean cosines, one network a row."""
    table = Table(title="identity: mean cosine")
    columns = ("network", "swapped\nsource", "target\nsource", "gain", "swapped\ntarget")
    for column in (*columns, "one\nperson", "two\nstrangers", "gain to\nstrangers"):
        table.add_column(column, justify="right", no_wrap=True)
    for score in found.scores:
        strangers = None if others is None else mean_pair_cosine(others[score.recogniser])
        numbers = (
            score.swapped_to_source,
            score.target_to_source,
            score.gain,
            score.swapped_to_target,
            score.target_to_itself,
            strangers,
            score.gain_to_others,
        )
        cells = ("-" if number is None else f"{number:.3f}" for number in numbers)
        table.add_row(score.recogniser, *cells)
    return table


if __name__ == "__main__":
    main()

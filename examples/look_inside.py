"""Call the networks one by one, then see every step of a swap in one picture.

Run: python examples/look_inside.py [FOLDER] [--at 1.0] [--model mobile]
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from megafs_video import load_model, preview_frames, sheet

HERE = Path(__file__).parent

parser = argparse.ArgumentParser()
parser.add_argument("folder", nargs="?", type=Path, default=Path())
parser.add_argument("--at", type=float, default=1.0, help="a time of the clip, seconds")
parser.add_argument("--model", default="mobile", help="a name, or a folder that train made")
chosen = parser.parse_args()

model = load_model(chosen.model)
[preview] = preview_frames(HERE / "source.jpg", HERE / "target.mp4", [chosen.at], model=model)
Image.fromarray(sheet(preview)).save(chosen.folder / "steps.png")

faces = np.stack([preview.source, preview.crops[0].pixels])  # [2, 256, 256, 3]
pixels = torch.from_numpy(faces).permute(0, 3, 1, 2).float() / 127.5 - 1  # [2, 3, 256, 256]
source_codes, target_codes = model.encode(pixels[:1]), model.encode(pixels[1:])
swapped_codes = model.transfer(source_codes, target_codes)
change = (swapped_codes.styles - target_codes.styles).norm(dim=2)[0]  # [16], coarse to fine
print("how far each code moved:", " ".join(f"{distance:.1f}" for distance in change))
swapped = model.generate(swapped_codes)[0]  # [3, 1024, 1024]
host = ((swapped + 1) * 127.5).round().clamp(0, 255).byte().permute(1, 2, 0).cpu().numpy()
Image.fromarray(host).save(chosen.folder / "swapped.png")

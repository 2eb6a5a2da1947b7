#!/usr/bin/env bash
# Packs what a training needs for a machine without network: pictures, frozen networks, a start.
#
#   models/pack.sh PACK START FACES...
#
# PACK receives part-00, part-01, ... of at most 60 MB each; models/train.sh reads them there.
# START: folder of a model to go on from, HieRFE and FTM. FACES: folders of aligned 256 px faces.
set -euo pipefail
pack=$1 start=$2
shift 2
python=${PYTHON:-python3}
mkdir -p "$pack"
networks=$("$python" - <<'PY'
from megafs_video.training.run import NAMES
from megafs_video.weights.cache import home
from megafs_video.weights.fetch import ensure

for path in ensure(NAMES).values():
    print(path.relative_to(home()))
PY
)
cache=$("$python" -c 'from megafs_video.weights.cache import home; print(home())')
staged=$(mktemp -d)
trap 'rm -rf "$staged"' EXIT
mkdir "$staged/faces" "$staged/home" "$staged/start"
cp -L "$start"/{encoder,transfer}.safetensors "$staged/start"
for folder in "$@"; do
    cp -rL "$folder" "$staged/faces/$(basename "$folder")"
done
while read -r path; do
    mkdir -p "$staged/home/$(dirname "$path")"
    cp "$cache/$path" "$staged/home/$path"
done <<<"$networks"
rm -f "$pack"/part-*
tar -C "$staged" -c . | split -b 60MB -d - "$pack/part-"
du -b "$pack"/part-*

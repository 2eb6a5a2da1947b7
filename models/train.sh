#!/usr/bin/env bash
# Trains from a packed folder, with no network, on whatever the machine has; goes on where it was.
#
#   models/train.sh PACK MINUTES OUT [CONFIG]
#
# PACK: what models/pack.sh made, all its parts. MINUTES: of the whole run, whose learning rate
# falls to its end; CALL_MINUTES ends this call earlier, and the next one takes the run up from its
# last checkpoint. CONFIG: settings of FTM's training beside HieRFE, else models/mobile/large.toml;
# a name that ends in encoder.toml or draft.toml trains HieRFE alone. The run and the unpacked files
# lie in PACK/work. OUT receives log.csv, the last sheet and, when the run has ended, its weights in
# pieces of 15 MB: join them with cat NAME.safetensors.?? >NAME.safetensors, check with
# sha256sum -c.
set -euo pipefail
pack=$1 minutes=$2 out=$3 config=${4:-models/mobile/large.toml}
work=$pack/work
python=${PYTHON:-python3}
mkdir -p "$out"
rm -f "$out"/*.safetensors.* "$out/SHA256SUMS"
if [ ! -e "$work" ]; then # whole or not at all
    rm -rf "$work.unfinished"
    mkdir "$work.unfinished"
    cat "$pack"/part-* | tar -x -C "$work.unfinished"
    mv "$work.unfinished" "$work"
fi
export MEGAFS_VIDEO_HOME=$work/home
faces=()
for folder in "$work"/faces/*; do faces+=(--faces "$folder"); done
start=$work/start
case $config in
*encoder.toml | *draft.toml) what=encoder from=(--start "$start/encoder.safetensors") ;;
*) what=transfer from=(--encoder "$start/encoder.safetensors" --transfer "$start/transfer.safetensors") ;;
esac
run=$work/$what
status=0
timeout "${CALL_MINUTES:-1000}m" "$python" -m megafs_video train "$what" "${faces[@]}" \
    "${from[@]}" --config "$config" --minutes "$minutes" --offline \
    --output "$run" || status=$?
[ -d "$run" ] || exit $status
find "$run" -name log.csv -exec cp {} "$out/" \;
find "$run" -name 'sheet-*.jpg' | sort | tail -1 | xargs -r -I{} cp {} "$out/"
if [ $status = 124 ]; then
    echo "stopped after $CALL_MINUTES minutes; call again to go on"
    exit
fi
[ $status = 0 ] || exit $status
(cd "$run" && sha256sum ./*.safetensors) >"$out/SHA256SUMS"
for weights in "$run"/*.safetensors; do
    split -b 15MB -d "$weights" "$out/$(basename "$weights")."
done

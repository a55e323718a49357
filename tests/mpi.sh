#!/usr/bin/env bash
# Runs the command under mpirun with 1, 2 and 3 processes and compares bytes; then what fails.
# Takes the command, built with the feature mpi.
set -euo pipefail
command=$(realpath "$1")
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"

# As root, on fewer cores than processes: what a container has.
job() { timeout 300 mpirun --allow-run-as-root --oversubscribe -n "$@"; }

fail() {
    echo "$1" >&2
    exit 1
}

python3 - <<'PYTHON'
import array, json, math, os, random, struct

def npy(path, rows):
    header = "{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }" % (len(rows), len(rows[0]))
    header += " " * ((64 - (10 + len(header) + 1) % 64) % 64) + "\n"
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode())
        file.write(array.array("f", [v for row in rows for v in row]).tobytes())

random.seed(1)
dim, atoms = 6, 8
unit = lambda v: [x / math.sqrt(sum(y * y for y in v)) for x in v]
dictionary = [unit([random.gauss(0, 1) for _ in range(dim)]) for _ in range(atoms)]

def point():
    x = [random.gauss(0, 0.05) + 0.2 for _ in range(dim)]
    for atom in random.sample(dictionary, 2):
        z = 1 + random.random()
        x = [v + z * d for v, d in zip(x, atom)]
    return x

os.mkdir("shards")
os.mkdir("broken")
# Shards of any length: ranks do not begin where shards do.
for number, size in enumerate([3000, 1, 6500, 2999]):
    rows = [point() for _ in range(size)]
    npy("shards/s%d.npy" % number, rows)
    if number == 3:
        rows[7][2] = math.nan
    npy("broken/s%d.npy" % number, rows)
npy("D.npy", dictionary)

# An autoencoder in SAELens' layout: one thresholding step.
os.mkdir("sae")
weights = {
    "W_enc": ([dim, atoms], [dictionary[k][j] for j in range(dim) for k in range(atoms)]),
    "W_dec": ([atoms, dim], [v for atom in dictionary for v in atom]),
    "b_enc": ([atoms], [-0.3] * atoms),
    "b_dec": ([dim], [0.0] * dim),
}
entries, body = {}, b""
for name, (shape, values) in weights.items():
    data = array.array("f", values).tobytes()
    entries[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(body), len(body) + len(data)]}
    body += data
header = json.dumps(entries).encode()
with open("sae/sae_weights.safetensors", "wb") as file:
    file.write(struct.pack("<Q", len(header)) + header + body)
with open("sae/cfg.json", "w") as file:
    json.dump({"architecture": "standard", "d_in": dim, "d_sae": atoms, "apply_b_dec_to_input": True,
               "normalize_activations": "none", "dtype": "float32"}, file)
PYTHON

# What is printed, without what a clock says.
timeless() { sed -E 's/"(seconds|seconds_certify|points_per_second)":[^,}]*//g' "$1"; }

same() {
    local name=$1
    shift
    for count in 1 2 3; do
        job "$count" "$command" "$@" --mpi --json --quiet --threads 1 --out "$name.$count.npz" >"$name.$count.json"
        timeless "$name.$count.json" >"$name.$count"
        cmp "$name.1" "$name.$count" || fail "$name: $count processes print otherwise"
        if [[ -d $name.1.npz ]]; then
            for file in dictionary.npy codes.npz certificate.json; do
                cmp "$name.1.npz/$file" "$name.$count.npz/$file"
            done
        else
            cmp "$name.1.npz" "$name.$count.npz"
        fi
    done
    echo "$name: the same bytes with 1, 2 and 3 processes"
}

data=(--data 'shards/*.npy' --lambda 0.3)
same encode encode "${data[@]}" --dictionary D.npy
same convex solve "${data[@]}" --gamma 0.1 --tolerance 0.03
same fast solve "${data[@]}" --gamma 0.1 --tolerance 0.03 --bound fast
same quartic solve "${data[@]}" --gamma 0.1 --tolerance 0.03 --bound quartic
same centered solve "${data[@]}" --gamma 0.2 --center --tolerance 0.05
same width solve "${data[@]}" --width 9
for count in 1 2 3; do
    job "$count" "$command" wide "${data[@]}" --center --mpi --json --quiet >wide.json
    timeless wide.json >"wide.$count"
    cmp wide.1 "wide.$count"
done
echo "wide: the same bytes with 1, 2 and 3 processes"

# The tables of a diagnosis, and what one process without a job says.
diagnose=(diagnose "${data[@]}" --sae sae --sample 40 --json --quiet)
for count in 1 2 3 4; do
    job "$count" "$command" "${diagnose[@]}" --mpi --threads $((count % 2 + 1)) --out "diagnosis.$count" >"diagnosis.$count.json"
    timeless "diagnosis.$count.json" >"diagnosis.$count.said"
    cmp diagnosis.1.said "diagnosis.$count.said" || fail "diagnose: $count processes print otherwise"
    for file in diagnosis.1/*.csv diagnosis.1/*.npz; do
        cmp "$file" "diagnosis.$count/${file##*/}"
    done
done
"$command" "${diagnose[@]}" >alone.json
cmp <(timeless alone.json) diagnosis.1.said || fail "diagnose: a job prints otherwise"
grep -q '"rows_read":12500,' diagnosis.1.said || fail "diagnose: not all rows are read"
echo "diagnose: the same bytes with 1, 2, 3 and 4 processes, and without a job"

# One process codes alike without a job.
"$command" encode "${data[@]}" --dictionary D.npy --out alone.npz --json --quiet >/dev/null
cmp alone.npz encode.1.npz

# A point of two processes is gone on from by three.
job 3 "$command" solve "${data[@]}" --gamma 0.1 --tolerance 0.03 --start convex.2.npz --mpi --json --quiet >/dev/null

# What one rank cannot read ends all, with its exit code; nothing waits.
ends() {
    local code=$1 said=$2 found=0
    shift 2
    job 3 "$command" "$@" --mpi >failed 2>&1 || found=$?
    ((found == code)) || fail "$*: exit code $found, expected $code"
    (($(grep -c "$said" failed) == 1)) || fail "$*: '$said' is not said once"
}
ends 3 "s3.npy: row 7, column 2" wide --data 'broken/*.npy' --lambda 0.3
ends 3 "no file matches" wide --data 'nothere/*.npy' --lambda 0.3
ends 2 "invalid value" wide "${data[@]}" --max-seconds x
ends 3 "s3.npy: row 7, column 2" diagnose --data 'broken/*.npy' --lambda 0.3 --sae sae --sample 40
ends 2 "bound than none, fast, nuclear, quartic or auto is not distributed" solve "${data[@]}" --gamma 0.1 --bound relaxation
ends 2 "diagnose without --sample is not distributed" diagnose "${data[@]}" --sae sae
ends 2 "resume is not distributed" "${diagnose[@]}" --out resumed --resume
ends 2 "checkpoint-seconds is not distributed" "${diagnose[@]}" --out resumed --checkpoint-seconds 5
ends 3 "nosae" diagnose "${data[@]}" --sae nosae --sample 40
ends 1 '"stopped":"time-limit"' "${diagnose[@]}" --max-seconds 0
ends 2 "certify is not distributed" certify "${data[@]}" --dictionary D.npy --codes encode.1.npz
ends 1 '"stop":"time-limit"' solve "${data[@]}" --gamma 0.1 --tolerance 1e-9 --max-seconds 1 --json --quiet
echo "failures and limits end all processes"

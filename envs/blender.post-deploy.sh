#!/usr/bin/env bash
# Gives the environment a Python of its own with Blender (bpy needs numpy < 2, the package numpy 2), and
# names it to the renderer whenever the environment is activated. Blender is GPL: a separate process.
set -euo pipefail

python -m venv "$CONDA_PREFIX/blender"
# the pins of requirements-blender.txt
"$CONDA_PREFIX/blender/bin/python" -m pip install --disable-pip-version-check \
    bpy==4.5.15 \
    certifi==2026.10.18 \
    charset-normalizer==3.5.2 \
    cython==3.3.1 \
    idna==3.20 \
    numpy==1.26.4 \
    requests==2.34.2 \
    urllib3==2.8.0 \
    zstandard==0.25.0

mkdir -p "$CONDA_PREFIX/etc/conda/activate.d"
cat > "$CONDA_PREFIX/etc/conda/activate.d/semcorr_blender.sh" <<'SCRIPT'
export SEMCORR_BLENDER="${SEMCORR_BLENDER:-$CONDA_PREFIX/blender/bin/python}"
SCRIPT

#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Keras 3.15.1 cannot read the .h5 that it has written for a model with a bfloat16 layer. HDF5 has no bfloat16; model.save and
# save_weights write its bits as two opaque bytes. In .weights.h5 and .keras the attribute "dtype" says what they are; in the
# legacy .h5 nothing does, and load_model fails with "No cast function available". So a reader of .h5 has to know that
# opaque arrays of two bytes are bfloat16 (tools/vgg19_keras.py does).
# Fails when a version behaves otherwise. Needs the network (pip, about 300 MB) and a few minutes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check keras==3.15.1 tensorflow-cpu==2.21.0
cd "$folder"
TF_CPP_MIN_LOG_LEVEL=3 "$folder/venv/bin/python" - <<'PYTHON'
import h5py
import keras
import numpy as np

print("keras", keras.__version__, "h5py", h5py.__version__)
layers = [keras.layers.Input((8, 8, 3)), keras.layers.Conv2D(2, 3, dtype="bfloat16", name="conv")]
model = keras.Sequential(layers)
values = keras.ops.convert_to_numpy(model.weights[0]).astype("float32")


def arrays(path):
    found = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, item: found.update({name: (str(item.dtype), dict(item.attrs))})
                        if isinstance(item, h5py.Dataset) and item.ndim == 4 else None)
    return found


model.save("model.keras")
again = keras.models.load_model("model.keras")
assert (keras.ops.convert_to_numpy(again.weights[0]).astype("float32") == values).all()
print(".keras: the same values")
model.save_weights("model.weights.h5")
print(".weights.h5:", arrays("model.weights.h5"))
model.save("model.h5")
written = arrays("model.h5")
print(".h5:", written)
assert [entry for entry in written.values()] == [("|V2", {})], "the legacy file describes its arrays otherwise"
with h5py.File("model.h5") as file:
    bits = np.ascontiguousarray(file[next(iter(written))][()]).view("<u2").astype("<u4") << 16
assert (bits.view("<f4") == values).all()
print("its bytes are the upper halves of the values in float32")
try:
    keras.models.load_model("model.h5")
except ValueError as error:
    print("load_model of .h5: ValueError:", error)
    assert "No cast function available" in str(error)
else:
    raise SystemExit("load_model of .h5 works: the finding is out of date")
PYTHON

"""Keras with torch underneath, its settings kept out of the home folder: from keras_on_torch import keras."""

import atexit
import os
import shutil
import tempfile
import warnings

folder = tempfile.mkdtemp(prefix="keras-")
atexit.register(shutil.rmtree, folder, ignore_errors=True)
os.environ |= {"KERAS_BACKEND": "torch", "KERAS_HOME": folder}  # read once, at the import
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of other people's imports
    import keras

__all__ = ["keras"]

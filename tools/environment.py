"""Make .venv and install what a command needs: `environment.py book` or `environment.py full`.

Standard library only, and readable by any Python 3, so that an old one gets a sentence and not a syntax error.
`book` installs book/requirements.txt, `full` requirements.txt (which includes it) with torch's CPU build where the
machine has no NVIDIA GPU. Nothing is done where a stamp in .venv says that the same was done before.
"""

import glob
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile

OLDEST, NEWEST = (3, 11), (3, 13)
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
PYTHON = os.path.join(VENV, "bin", "python")
CPU_INDEX = "https://download.pytorch.org/whl/cpu"  # PyTorch's own address for builds without CUDA


def main(words):
    if len(words) != 1 or words[0] not in ("book", "full"):
        sys.exit("usage: python3 tools/environment.py {book,full}")
    profile = words[0]
    wanted = fingerprint(profile)
    if stamp(profile) == wanted and works(PYTHON):
        return
    if not works(PYTHON):
        make_venv(find_python())
    if profile == "full" and not imports("torch"):
        install_torch()
    # the project itself goes in from its folder: pip reads "-e ." in the file relative to where it runs
    pip("install", "-r", requirements(profile))
    for done in ("book", "full") if profile == "full" else ("book",):
        with open(stamp_path(done), "w") as file:
            file.write(fingerprint(done))


def requirements(profile):
    return os.path.join(ROOT, "requirements.txt" if profile == "full" else os.path.join("book", "requirements.txt"))


def fingerprint(profile):
    """A hash of everything that decides what is installed."""
    found = hashlib.sha256()
    names = ["book/requirements.txt"] + (["requirements.txt", "pyproject.toml"] if profile == "full" else [])
    for name in names:
        with open(os.path.join(ROOT, name), "rb") as file:
            found.update(file.read())
    return found.hexdigest()


def stamp_path(profile):
    return os.path.join(VENV, "installed-" + profile)


def stamp(profile):
    if not os.path.exists(stamp_path(profile)):
        return None
    with open(stamp_path(profile)) as file:
        return file.read()


def find_python():
    """The first interpreter of a fitting version: $PYTHON alone if it is set, else the usual names."""
    names = (
        [os.environ["PYTHON"]] if os.environ.get("PYTHON") else ["python3", "python3.13", "python3.12", "python3.11"]
    )
    seen = []
    for name in names:
        version = version_of(name)
        if version and OLDEST <= version[:2] <= NEWEST:
            return name
        seen.append("{} is {}".format(name, ".".join(map(str, version))) if version else f"{name} is not there")
    sys.exit(
        "This course needs Python 3.11, 3.12 or 3.13; found: {}. Install one (Debian, Ubuntu: apt install python3; "
        "macOS: brew install python@3.13), or name it: make PYTHON=/path/to/python3.13 book".format(", ".join(seen))
    )


def version_of(name):
    """(major, minor, micro), or None for a command that is missing or does not run."""
    try:
        text = subprocess.check_output(
            [name, "-c", "import sys; print('%d.%d.%d' % sys.version_info[:3])"], stderr=subprocess.DEVNULL
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return tuple(int(part) for part in text.decode().split("."))


def works(python):
    """Whether an interpreter of a fitting version runs there and has pip."""
    version = version_of(python)
    if not version or not OLDEST <= version[:2] <= NEWEST:
        return False
    return (
        subprocess.call([python, "-m", "pip", "--version"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0
    )


def imports(name):
    code = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({name!r}) is None)"
    return subprocess.call([PYTHON, "-c", code]) == 0


def make_venv(python):
    """A fresh .venv with pip in it, also where the distribution split ensurepip off (Debian's python3-venv)."""
    say("making .venv with " + python)
    shutil.rmtree(VENV, ignore_errors=True)
    if subprocess.call([python, "-c", "import ensurepip"], stderr=subprocess.DEVNULL) == 0:
        subprocess.check_call([python, "-m", "venv", VENV])
        return
    subprocess.check_call([python, "-m", "venv", "--without-pip", VENV])
    if pip_from_debian():
        return
    shutil.rmtree(VENV, ignore_errors=True)
    sys.exit(
        f"{python} can make no virtual environment: its modules venv and ensurepip are not installed. Install them "
        "(Debian, Ubuntu: apt install python3-venv), then run the command again."
    )


def pip_from_debian():
    """Put pip into .venv from Debian's package of pip's wheel: downloaded and unpacked, no root needed."""
    if not (shutil.which("apt-get") and shutil.which("dpkg")):
        return False
    with tempfile.TemporaryDirectory() as folder:
        quiet = {"cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        if subprocess.call(["apt-get", "download", "python3-pip-whl"], **quiet) != 0:
            return False
        for package in glob.glob(os.path.join(folder, "*.deb")):
            if subprocess.call(["dpkg", "-x", package, folder], **quiet) != 0:
                return False
        wheels = glob.glob(os.path.join(folder, "usr/share/python-wheels/pip-*.whl"))
        if not wheels:
            return False
        command = [PYTHON, os.path.join(wheels[0], "pip"), "install", "--quiet", "--no-index", wheels[0]]
        return subprocess.call(command) == 0


def install_torch():
    """torch as pinned; its CPU build on a Linux machine without an NVIDIA GPU, a tenth of the CUDA build's size."""
    pin = next(line.strip() for line in open(requirements("full")) if line.startswith("torch=="))
    if platform.system() != "Linux" or has_gpu():
        pip("install", pin)
    elif not (try_pip("install", pin + "+cpu") or try_pip("install", "--index-url", CPU_INDEX, pin + "+cpu")):
        say("torch's CPU build can't be had from here: taking the CUDA build, which is some gigabytes larger")
        pip("install", pin)


def has_gpu():
    if os.path.isdir("/proc/driver/nvidia/gpus"):
        return True
    try:
        return subprocess.call(["nvidia-smi", "-L"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0
    except OSError:
        return False


def try_pip(*words):
    """pip with few retries: whether it worked."""
    command = [PYTHON, "-m", "pip", "--quiet", "--retries", "1", "--timeout", "15"]
    return subprocess.call(command + list(words), cwd=ROOT, stderr=subprocess.DEVNULL) == 0


def pip(*words):
    say("pip " + " ".join(os.path.relpath(word, ROOT) if os.path.isabs(word) else word for word in words))
    code = subprocess.call([PYTHON, "-m", "pip", "--quiet", "--disable-pip-version-check"] + list(words), cwd=ROOT)
    if code != 0:
        sys.exit("pip could not install what is needed (its words are above); check the network and run it again.")


def say(text):
    print("[environment] " + text, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])

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
ROOT = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
VENV = os.path.join(ROOT, ".venv")
PYTHON = os.path.join(VENV, "bin", "python")
CPU_INDEX = "https://download.pytorch.org/whl/cpu"  # PyTorch's own address for builds without CUDA


def main(words):
    if len(words) != 1 or words[0] not in ("book", "full"):
        sys.exit("usage: python3 tools/environment.py {book,full}")
    profile = words[0]
    if stamp(profile) == fingerprint(profile) and fits(version_of(PYTHON)):
        return
    if not works(PYTHON):
        make_venv(find_python())
    if profile == "full":
        install_torch()
    # the project itself goes in from its folder: pip reads "-e ." in the file relative to where it runs
    pip("install", "-r", requirements(profile))
    for done in ("book", "full") if profile == "full" else ("book",):
        with open(stamp_path(done), "w") as file:
            file.write(fingerprint(done))


def requirements(profile):
    return os.path.join(ROOT, "requirements.txt" if profile == "full" else os.path.join("book", "requirements.txt"))


def fingerprint(profile):
    """A hash of everything that decides what is installed, and where: a moved .venv holds commands that don't run."""
    found = hashlib.sha256(VENV.encode())
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
        if fits(version):
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


def fits(version):
    return version is not None and OLDEST <= version[:2] <= NEWEST


def works(python):
    """Whether an interpreter of a fitting version runs there and has a pip that was installed at this place."""
    if not fits(version_of(python)) or not quiet([python, "-m", "pip", "--version"]):
        return False
    script = os.path.join(VENV, "bin", "pip")
    if not os.path.exists(script):
        return False
    with open(script, "rb") as file:
        return os.path.join(VENV, "bin", "").encode() in file.read(4096)


def quiet(command, folder=ROOT):
    """Run a command without its words: whether it is there and succeeded."""
    try:
        return subprocess.call(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0
    except OSError:
        return False


def make_venv(python):
    """A fresh .venv with pip in it, also where the distribution split ensurepip off (Debian's python3-venv)."""
    say("making .venv with " + python)
    shutil.rmtree(VENV, ignore_errors=True)
    if quiet([python, "-m", "venv", VENV]) and works(PYTHON):
        return
    shutil.rmtree(VENV, ignore_errors=True)
    if quiet([python, "-m", "venv", "--without-pip", VENV]) and pip_from_debian():
        return
    shutil.rmtree(VENV, ignore_errors=True)
    sys.exit(
        f"{python} could make no virtual environment in {VENV}: the folder can't be written, the disk is full, or its "
        "modules venv and ensurepip are missing (Debian, Ubuntu: apt install python3-venv). Mend that and run it again."
    )


def pip_from_debian():
    """Put pip into .venv from Debian's package of pip's wheel: downloaded and unpacked, no root needed."""
    if not (shutil.which("apt-get") and shutil.which("dpkg")):
        return False
    with tempfile.TemporaryDirectory() as folder:
        if not quiet(["apt-get", "download", "python3-pip-whl"], folder):
            return False
        for package in glob.glob(os.path.join(folder, "*.deb")):
            quiet(["dpkg", "-x", package, folder])
        wheels = glob.glob(os.path.join(folder, "usr/share/python-wheels/pip-*.whl"))
        return bool(wheels) and quiet([PYTHON, os.path.join(wheels[0], "pip"), "install", "--no-index", wheels[0]])


def install_torch():
    """torch as pinned; its CPU build on a Linux machine without an NVIDIA GPU, a tenth of the CUDA build's size."""
    with open(requirements("full"), encoding="utf-8") as file:
        pin = next(line.strip() for line in file if line.startswith("torch=="))
    code = "import importlib.metadata as m, sys; sys.exit(m.version('torch').split('+')[0] != sys.argv[1])"
    if quiet([PYTHON, "-c", code, pin.split("==")[1]]):
        return
    if platform.system() != "Linux" or has_gpu():
        pip("install", pin)
    elif not (try_pip("install", pin + "+cpu") or try_pip("install", "--index-url", CPU_INDEX, pin + "+cpu")):
        say("torch's CPU build can't be had from here: taking the CUDA build, which is some gigabytes larger")
        pip("install", pin)


def has_gpu():
    return os.path.isdir("/proc/driver/nvidia/gpus") or quiet(["nvidia-smi", "-L"])


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

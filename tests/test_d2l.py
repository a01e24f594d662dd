"""The d2l package on today's stack: patched by `import bnlib.d2l` and by nothing else, its data ours, its
loop running.

d2l is patched for a whole process, so every test runs in one of its own.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def run(program, tmp_path):
    """Run a program from an empty folder, where d2l would have to download; warnings are errors."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "MPLBACKEND": "agg"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == []  # d2l's own loader would have made a folder
    return done.stdout


def test_bnlib_alone_patches_nothing(tmp_path):
    run(
        """
import sys, bnlib
bnlib.fashion_mnist, bnlib.LeNet, bnlib.train, bnlib.lecture, bnlib.recalibrate
assert not {"d2l", "d2l.torch", "torchvision", "bnlib.d2l"} & set(sys.modules)
""",
        tmp_path,
    )


def test_it_mends_what_is_broken_and_leaves_the_rest(tmp_path):
    run(
        """
try:
    from d2l import torch as d2l
except RuntimeError as error:  # CPU-only torch beside a CUDA build of torchvision
    assert "torchvision::nms" in str(error)
import bnlib.d2l
from d2l import torch as d2l
ours = {name for name, f in vars(d2l).items() if getattr(f, "__module__", "").startswith("bnlib")}
assert ours == {"use_svg_display", "get_dataloader_workers", "load_data_fashion_mnist"}, ours

figure, _ = d2l.plt.subplots()
d2l.set_figsize()  # calls use_svg_display; no notebook, nothing happens
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()  # a kernel is one of these, and shows every type
shell.display_formatter.active_types = shell.display_formatter.format_types
d2l.use_svg_display()
shown, _ = shell.display_formatter.format(figure)
assert "image/svg+xml" in shown and "image/png" not in shown, list(shown)
""",
        tmp_path,
    )


def test_loaders_give_our_tensors_the_way_d2l_does(tmp_path):
    run(
        """
import torch, bnlib, bnlib.d2l
from d2l import torch as d2l
from torch.utils.data import RandomSampler
training, test = d2l.load_data_fashion_mnist(256)
data = bnlib.fashion_mnist(subset=False)
assert (len(training), len(test)) == (235, 40) and training.num_workers == d2l.get_dataloader_workers() >= 1
X, y = next(iter(test))
assert X.dtype == torch.float32 and y.dtype == torch.int64
assert torch.equal(X, data.test_images[:256]) and torch.equal(y, data.test_labels[:256])
assert isinstance(training.sampler, RandomSampler)
X, y = next(iter(training))
match = [int((data.train_images == x).flatten(1).all(1).nonzero()[0]) for x in X[:3]]
assert match != [0, 1, 2] and torch.equal(data.train_labels[match], y[:3])
X, y = training.dataset[59_999]
assert torch.equal(X, data.train_images[-1]) and y == data.train_labels[-1]
X, _ = next(iter(d2l.load_data_fashion_mnist(4, resize=64)[1]))
assert X.shape == (4, 1, 64, 64)
""",
        tmp_path,
    )


def test_train_ch6_trains_our_layers_without_a_display(tmp_path):
    output = run(
        """
import torch, bnlib, bnlib.d2l
from d2l import torch as d2l
from torch.utils.data import DataLoader, Subset
torch.manual_seed(0)
training, test = (
    DataLoader(Subset(whole.dataset, range(count)), 256, shuffle=count > 1000)
    for whole, count in zip(d2l.load_data_fashion_mnist(256), (5120, 1000))
)
for norm in ("batch", "lecture"):
    net = bnlib.LeNet(norm)
    before = [p.clone() for p in net.parameters()]
    d2l.train_ch6(net, training, test, 2, 1.0, d2l.try_gpu())
    assert not any(torch.equal(p.cpu(), q) for p, q in zip(net.parameters(), before))
    assert d2l.plt.gcf().axes[0].get_xlabel() == "epoch" and len(d2l.plt.gcf().axes[0].lines) == 3
""",
        tmp_path,
    )
    losses = [float(rest.split(",")[0]) for rest in output.split("loss ")[1:]]
    assert len(losses) == 2 and max(losses) < 1.5, output  # ln 10 = 2.30 is what guessing costs
    assert output.count("examples/sec") == 2


@pytest.mark.parametrize("missing", ["d2l", "torchvision"])
def test_a_missing_package_is_named_with_the_command_that_mends(tmp_path, missing):
    program = """
import sys
class Missing:  # what an environment without the package answers
    def find_spec(self, name, path=None, target=None):
        if name == {missing!r}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Missing())
try:
    import bnlib.d2l
except ImportError as error:
    print(error)
"""
    said = run(program.replace("{missing!r}", repr(missing)), tmp_path)
    assert missing in said and "pip install d2l==0.17.0 torchvision" in said and said.count("\n") == 1

"""export: files that other programs load, equal to the model; what can't be exported leaves the folder as it was."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
from onnx.reference import ReferenceEvaluator
from torch import nn
from torch.nn import functional as F

import bnlib
from bnlib import lecture
from bnlib.training import LeNet, TrainConfig, fashion_mnist, train
from bnlib.training.export import ExportError, ExportReport, export
from bnlib.training.lenet import NORMS

ENDINGS = ("onnx", "pt2")
FOLDED = {"none": 0, "batch": 4, "torch": 4, "lecture": 0}


@pytest.fixture(scope="module")
def data():
    return fashion_mnist(subset=True)


@pytest.fixture(scope="module")
def trained(data):
    """A LeNet of each norm after one epoch of 600 images, in training mode."""
    data = replace(data, train_images=data.train_images[:600], train_labels=data.train_labels[:600])
    models = {}
    for norm in NORMS:
        torch.manual_seed(0)
        models[norm] = LeNet(norm)
        train(models[norm], data, TrainConfig(epochs=1, batch_size=64), device="cpu", progress=False)
        models[norm].train()
    return models


@pytest.fixture(scope="module")
def files(trained, tmp_path_factory):
    """Of each norm and ending: the file, alone in its folder, and the report."""
    made = {}
    for norm in NORMS:
        for ending in ENDINGS:
            path = tmp_path_factory.mktemp(norm) / f"a.{ending}"
            made[norm, ending] = path, export(trained[norm], path)
    return made


@pytest.fixture
def chinese():
    bnlib.set_language("zh")
    yield
    bnlib.set_language("en")


def run_onnx(path, images):
    return torch.from_numpy(ReferenceEvaluator(str(path)).run(["logits"], {"images": images.numpy()})[0])


def run_pt2(path, images):
    with torch.no_grad():
        return torch.export.load(path).module()(images)


RUN = {"onnx": run_onnx, "pt2": run_pt2}


def logits_of(model, images):
    modes = {module: module.training for module in model.modules()}
    with torch.no_grad():
        logits = model.eval()(images)
    for module, mode in modes.items():
        module.training = mode
    return logits


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(1, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4)
        self.conv2, self.norm2 = nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.dropout, self.linear = nn.Dropout(), nn.Linear(4 * 49, 10)

    def forward(self, x):
        x = F.relu(self.norm1(self.conv1(x)))
        x = x + self.norm2(self.conv2(x))
        x = F.max_pool2d(x, 4)
        return self.linear(self.dropout(x.view(x.shape[0], -1)))


ORDINARY = {
    "residual": (Residual, 2),
    "linear": (lambda: nn.Sequential(nn.Flatten(), nn.Linear(784, 30), nn.BatchNorm1d(30), nn.Linear(30, 3)), 1),
    "no parameters": (lambda: nn.Sequential(nn.AvgPool2d(4), nn.Flatten()), 0),
    "other norms": (
        lambda: nn.Sequential(
            nn.Conv2d(1, 4, 3), nn.GroupNorm(2, 4), nn.InstanceNorm2d(4), nn.Flatten(), nn.Linear(2704, 10),
            nn.LayerNorm(10), nn.GELU(),
        ),
        0,
    ),
    "ours": (
        lambda: nn.Sequential(
            nn.Conv2d(1, 4, 3), bnlib.norm.BatchNorm2d(4, affine=False), nn.ReLU(), bnlib.norm.GroupNorm(2, 4),
            nn.Flatten(), nn.Linear(2704, 10),
        ),
        1,
    ),
}  # fmt: skip


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("norm", NORMS)
def test_the_file_computes_what_each_lenet_computes(norm, ending, trained, files, data):
    path, report = files[norm, ending]
    assert sum(entry.folded for entry in report.normalizations) == FOLDED[norm]
    assert len(report.normalizations) == (0 if norm == "none" else 4)
    for images in (data.test_images[:1], data.test_images[:5], data.test_images[-7:]):
        expected = logits_of(trained[norm], images)
        torch.testing.assert_close(RUN[ending](path, images), expected, rtol=1e-5, atol=1e-5)
    assert report.largest_difference < 1e-5 and report.size == path.stat().st_size
    assert os.listdir(path.parent) == [path.name]  # all in one file, no draft left


@pytest.mark.parametrize(
    ("name", "ending"),
    [*((name, "pt2") for name in ORDINARY), *((name, "onnx") for name in ("residual", "other norms", "ours"))],
)
def test_ordinary_modules(name, ending, data, tmp_path):
    make, folded = ORDINARY[name]
    torch.manual_seed(0)
    model = make()
    model(data.train_images[:50])  # moving statistics
    path = tmp_path / f"model.{ending}"
    report = export(model, path)
    assert sum(entry.folded for entry in report.normalizations) == folded
    images = data.test_images[:3]
    torch.testing.assert_close(RUN[ending](path, images), logits_of(model, images), rtol=1e-4, atol=1e-5)


def test_folded_means_that_no_normalization_is_left_in_the_file(files):
    kinds = [node.op_type for node in onnx.load(files["batch", "onnx"][0]).graph.node]
    assert [kind for kind in kinds if kind in ("Conv", "Gemm", "Sigmoid", "AveragePool")] == [
        *["Conv", "Sigmoid", "AveragePool"] * 2, *["Gemm", "Sigmoid"] * 2, "Gemm",
    ]  # fmt: skip
    assert not {"BatchNormalization", "Sub", "Div", "Sqrt", "Mul"} & set(kinds)
    program = torch.export.load(files["batch", "pt2"][0])
    assert not [node for node in program.graph.nodes if "norm" in str(node.target)] and len(program.state_dict) == 10


def test_names_shapes_and_metadata_of_onnx(files):
    path, report = files["batch", "onnx"]
    model = onnx.load(path)
    (images,), (logits,) = model.graph.input, model.graph.output
    assert [d.dim_param or d.dim_value for d in images.type.tensor_type.shape.dim] == ["N", 1, 28, 28]
    assert [d.dim_param or d.dim_value for d in logits.type.tensor_type.shape.dim] == ["N", 10]
    assert (images.name, logits.name) == ("images", "logits")
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    assert metadata["class_names"].split("|")[9] == "ankle boot" and metadata["input_range"] == "0 1"
    assert report.version == f"opset {model.opset_import[0].version}"


def test_metadata_of_pt2_in_chinese(chinese, trained, tmp_path):
    export(trained["batch"], tmp_path / "a.pt2")
    extra = {"metadata.json": ""}
    torch.export.load(tmp_path / "a.pt2", extra_files=extra)
    metadata = json.loads(extra["metadata.json"])
    assert metadata["class_names"].split("|")[9] == "短靴" and metadata["input_range"] == "0 1"


def test_only_the_data_sets_ten_classes_are_named(tmp_path):
    export(LeNet(num_classes=3), tmp_path / "a.pt2")
    extra = {"metadata.json": ""}
    torch.export.load(tmp_path / "a.pt2", extra_files=extra)
    assert "class_names" not in json.loads(extra["metadata.json"])


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_file_knows_nothing_of_this_machine(ending, files):
    path, _ = files["lecture", ending]
    content = path.read_bytes()
    for folder in (os.path.dirname(bnlib.__file__), os.path.dirname(torch.__file__), str(path.parent), os.getcwd()):
        assert folder.encode() not in content


ELSEWHERE = """
import sys
sys.modules["bnlib"] = None
import numpy as np
import torch
from onnx.reference import ReferenceEvaluator
x = np.load("x.npy")
np.save("onnx.npy", ReferenceEvaluator(sys.argv[1]).run(["logits"], {"images": x})[0])
np.save("pt2.npy", torch.export.load(sys.argv[2]).module()(torch.from_numpy(x)).detach().numpy())
"""


def test_a_process_without_bnlib_loads_both(trained, files, data, tmp_path):
    np.save(tmp_path / "x.npy", data.test_images[:4].numpy())
    paths = [str(files["batch", ending][0]) for ending in ENDINGS]
    command = [sys.executable, "-W", "error", "-c", ELSEWHERE, *paths]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=120)
    expected = logits_of(trained["batch"], data.test_images[:4])
    for ending in ENDINGS:
        got = torch.from_numpy(np.load(tmp_path / f"{ending}.npy"))
        torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("norm", NORMS)
def test_the_model_stays_as_it_was(norm, trained, data, tmp_path):
    model = trained[norm]
    model.conv2.eval()
    seen = []
    hook = model.linear3.register_forward_hook(lambda *_: seen.append(1))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    moving = [m.moving_mean for m in model.modules() if isinstance(m, lecture.BatchNorm)]
    modules = list(model.modules())
    export(model, tmp_path / "a.pt2")
    assert [module.training for module in model.modules()] == modes and list(model.modules()) == modules
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(p.requires_grad and p.device.type == "cpu" for p in model.parameters())
    after = [m.moving_mean for m in model.modules() if isinstance(m, lecture.BatchNorm)]
    assert all(a is b for a, b in zip(moving, after, strict=True))
    seen.clear()
    logits_of(model, data.test_images[:2])
    hook.remove()
    assert seen == [1]


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_a_model_of_another_precision_gives_a_file_of_float32(dtype, trained, data, tmp_path):
    model = LeNet()
    model.load_state_dict(trained["batch"].state_dict())
    model.to(dtype)
    export(model, tmp_path / "a.pt2")
    assert next(model.parameters()).dtype == dtype
    images = data.test_images[:3]
    got = run_pt2(tmp_path / "a.pt2", images)
    close = {"rtol": 1e-5, "atol": 1e-5} if dtype == torch.float64 else {"rtol": 0.05, "atol": 0.1}
    torch.testing.assert_close(got, logits_of(model, images.to(dtype)).float(), **close)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU: a model on CUDA, exported for the CPU")
@pytest.mark.parametrize("ending", ENDINGS)
def test_from_a_gpu(ending, data, tmp_path):
    model = LeNet("lecture").cuda()
    model(data.train_images[:50].cuda())
    export(model, tmp_path / f"a.{ending}")
    assert next(model.parameters()).is_cuda
    assert RUN[ending](tmp_path / f"a.{ending}", data.test_images[:2]).device.type == "cpu"


NOISE = """
import sys
import torch
from bnlib.training import LeNet
from bnlib.training.export import ExportError, export
from torch import nn
for norm, ending in (("batch", "onnx"), ("lecture", "pt2")):
    export(LeNet(norm), f"{norm}.{ending}")
class Decides(nn.Module):
    def forward(self, x):
        return (x if x.mean() > 0.5 else -x).flatten(1)
class Unknown(nn.Module):
    def forward(self, x):
        return torch.linalg.svdvals(x[:, 0])
for model in (Decides(), Unknown()):
    try:
        export(model, "a.onnx")
    except ExportError:
        pass
    else:
        sys.exit("it was exported")
"""


def test_the_exporters_say_nothing_on_the_terminal(tmp_path):
    command = [sys.executable, "-W", "always", "-c", NOISE]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "") and len(os.listdir(tmp_path)) == 2


class Talks(nn.Flatten):
    def forward(self, x):
        print("the model speaks", file=sys.stderr)
        return super().forward(x)


def test_but_the_model_may_speak(tmp_path, capfd):
    export(Talks(), tmp_path / "a.pt2")
    assert capfd.readouterr().err.count("the model speaks") >= 2


class Decides(nn.Flatten):
    """The sign of the mean decides: a trace would freeze it."""

    def forward(self, x):
        return super().forward(x if x.mean() > 0.5 else -x)


class Fixes(nn.Flatten):
    """Knows one batch size only, in its code."""

    def forward(self, x):
        return super().forward(x) if x.shape[0] != 2 else super().forward(-x)


class Forgets(nn.Flatten):
    """Never twice the same."""

    def forward(self, x):
        return F.dropout(super().forward(x))


class Says(nn.Module):
    def __init__(self, answer):
        super().__init__()
        self.answer = answer

    def forward(self, x):
        return self.answer(x)


REFUSED = {
    "decides": (Decides(), "Decides can't be exported to "),
    "fixes": (Fixes(), "Fixes can't be exported to "),
    "forgets": (Forgets(), "logits differ from the model's by up to "),
    "unknown": (
        Says(lambda x: torch.linalg.svdvals(x[:, 0])),
        "Says can't be exported to ONNX (No ONNX function found",
    ),
    "two": (Says(lambda x: (x.flatten(1), x)), "For 1 images the model gives tuple; expected logits"),
    "image": (Says(lambda x: x * 2), "the model gives (1, 1, 28, 28); expected logits"),
    "nan of some images": (Says(lambda x: x.flatten(1) + (0.45 - x[:, 0, 0, 2:3]).sqrt()), "by up to nan"),
    "nan": (Says(lambda x: x.flatten(1) / 0 * 0), "differ from the model's by up to nan"),
}


@pytest.mark.parametrize(
    ("name", "ending"),
    [
        ("unknown", "onnx"),
        ("decides", "onnx"),
        ("nan", "onnx"),
        *((name, "pt2") for name in REFUSED if name != "unknown"),
    ],
)
def test_what_cannot_be_exported_is_said_and_an_older_file_unharmed(name, ending, tmp_path):
    model, sentence = REFUSED[name]
    path = tmp_path / f"a.{ending}"
    path.write_text("older")
    with pytest.raises(ExportError) as refusal:
        export(model, path)
    assert sentence in str(refusal.value) and "\n" not in str(refusal.value)
    assert os.listdir(tmp_path) == [path.name] and path.read_text() == "older"


def test_a_difference_beyond_the_tolerance_leaves_no_file(trained, tmp_path):
    with pytest.raises(RuntimeError, match=r"a.pt2 was not written: .* expected at most 0.0e\+00; "):
        export(trained["batch"], tmp_path / "a.pt2", tolerance=0)
    assert os.listdir(tmp_path) == []


def test_an_older_file_is_replaced_and_readable_by_the_same_people(trained, tmp_path):
    path = tmp_path / "a.pt2"
    path.write_text("older")
    mode = path.stat().st_mode
    first = export(trained["none"], path)
    second = export(trained["none"], path)
    assert first == second and path.stat().st_mode == mode and os.listdir(tmp_path) == [path.name]


def test_places_that_cannot_be_written(trained, tmp_path):
    with pytest.raises(ValueError, match="a.txt names no known format; expected a name that ends in one of: .onnx, "):
        export(trained["none"], tmp_path / "a.txt")
    with pytest.raises(FileNotFoundError, match="nowhere"):
        export(trained["none"], tmp_path / "nowhere" / "a.onnx")
    (tmp_path / "folder.pt2").mkdir()
    with pytest.raises(IsADirectoryError):
        export(trained["none"], tmp_path / "folder.pt2")
    assert os.listdir(tmp_path) == ["folder.pt2"]


@pytest.mark.parametrize("package", ["onnx", "onnxscript"])
def test_without_onnx_it_says_what_to_install(package, trained, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    sentence = f"needs the package {package}, which is not installed: pip install onnx onnxscript; or choose a name"
    with pytest.raises(ModuleNotFoundError, match=sentence) as refusal:
        export(trained["none"], tmp_path / "a.onnx")
    assert refusal.value.name == package
    assert export(trained["none"], tmp_path / "a.pt2").size > 0


def test_a_compiled_model_is_refused(trained, tmp_path):
    with pytest.raises(TypeError, match="Fold the model first and compile it afterwards"):
        export(torch.compile(trained["batch"]), tmp_path / "a.onnx")


def words(report: ExportReport, folder) -> list[str]:
    return str(report).replace(f"{folder}/", "").splitlines()


def test_words(files, tmp_path):
    path, report = files["batch", "onnx"]
    difference = f"{report.largest_difference:.1e}"
    assert words(report, path.parent) == [
        f"a.onnx: ONNX, opset 18, {report.size:,} bytes",
        "folded: norm1 into conv1, norm2 into conv2, norm3 into linear1, norm4 into linear2",
        f"loaded again and compared: logits differ from the model's by at most {difference} (batches of 1, 2, 7)",
    ]
    mixed = nn.Sequential(nn.BatchNorm2d(1), nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten())
    assert words(export(mixed, tmp_path / "a.pt2"), tmp_path)[1] == "folded: 2 into 1; kept as they are: 0"
    assert words(files["none", "pt2"][1], tmp_path)[1] == "no batch normalization to fold"


def test_words_in_chinese(chinese, files, tmp_path):
    path, report = files["lecture", "pt2"]
    assert words(report, path.parent) == [
        f"a.pt2：torch.export，torch {torch.__version__}，{report.size:,}字节",
        "原样保留：norm1、norm2、norm3、norm4",
        "已重新载入并比对：logits与模型相差不超过0.0e+00（批量大小为1、2、7）",
    ]
    with pytest.raises(ExportError, match="^Decides无法导出为ONNX（"):
        export(Decides(), tmp_path / "a.onnx")

"""The tensors: what is in them, on which device, under which name, and what is said when only the subset is
there."""

import shutil
import warnings

import pytest
import torch

import bnlib
from bnlib.training import subset as subset_module
from bnlib.training.fashion_mnist import DataUnavailableError, DataWarning, Sources, fashion_mnist, fetch, raw_arrays
from bnlib.training.idx import CorruptFile

NOWHERE = Sources(installed=None, mirrors=(), apt=False)


@pytest.fixture(scope="module")
def full():
    return fashion_mnist(subset=False)


@pytest.fixture
def chinese():
    bnlib.set_language("zh")
    yield
    bnlib.set_language("en")


def test_shapes_types_and_range(full):
    assert full.name == "fashion-mnist"
    assert full.train_images.shape == (60_000, 1, 28, 28) and full.test_images.shape == (10_000, 1, 28, 28)
    for images, labels in ((full.train_images, full.train_labels), (full.test_images, full.test_labels)):
        assert images.dtype == torch.float32 and images.min() == 0 and images.max() == 1
        assert labels.dtype == torch.int64 and labels.shape == images.shape[:1]
        assert torch.equal(labels.bincount(), torch.full((10,), len(labels) // 10))


def test_known_values(full):
    assert full.train_labels[:10].tolist() == [9, 0, 0, 3, 0, 2, 7, 2, 5, 5]
    assert full.test_labels[:10].tolist() == [9, 2, 1, 1, 6, 1, 4, 6, 5, 7]
    assert full.train_images.double().mean().item() == pytest.approx(0.2860, abs=5e-5)  # the often quoted mean
    assert full.train_images.double().std().item() == pytest.approx(0.3530, abs=5e-5)  # and standard deviation


def test_images_are_the_bytes_divided_by_255(full):
    raw = raw_arrays(subset=False)
    assert torch.equal(full.test_images[:, 0], raw.test_images / 255) and raw.test_images.dtype == torch.uint8


def test_subset_is_the_first_of_each_class_in_order(full):
    small = fashion_mnist(subset=True)
    assert small.name == "fashion-mnist-subset"
    for images, labels, of_images, of_labels, count in (
        (small.train_images, small.train_labels, full.train_images, full.train_labels, 600),
        (small.test_images, small.test_labels, full.test_images, full.test_labels, 100),
    ):
        seen, chosen = [0] * 10, []
        for i, label in enumerate(of_labels.tolist()):
            seen[label] += 1
            if seen[label] <= count:
                chosen.append(i)
        assert torch.equal(images, of_images[chosen]) and torch.equal(labels, of_labels[chosen])
        assert torch.equal(labels.bincount(), torch.full((10,), count))


def test_without_a_source_the_subset_is_used_with_a_warning():
    with pytest.warns(DataWarning, match="balanced subset.*results differ") as caught:
        data = fashion_mnist(sources=NOWHERE)
    assert data.name == "fashion-mnist-subset" and len(caught) == 1
    assert caught[0].filename == __file__  # the reader is shown the own line, not one of the library's


def test_without_a_source_the_full_data_is_an_error_that_mends():
    for ask in (lambda: fashion_mnist(subset=False, sources=NOWHERE), lambda: fetch(sources=NOWHERE)):
        with pytest.raises(DataUnavailableError, match="dataset-fashion-mnist.*BNLIB_DATA.*--subset") as caught:
            ask()
        assert "\n" not in str(caught.value)


def test_subset_needs_no_source_and_says_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(fashion_mnist(subset=True, sources=NOWHERE).train_images) == 6_000


def test_refusals_are_warnings_that_name_the_file(tmp_path, monkeypatch, full):
    (tmp_path / "t10k-labels-idx1-ubyte.gz").write_bytes(b"\x1f\x8b not really")
    monkeypatch.setenv("BNLIB_DATA", str(tmp_path))
    with pytest.warns(DataWarning) as caught:
        data = bnlib.fashion_mnist(subset=False)
    said = [str(warning.message) for warning in caught]
    assert said[0].startswith(f"{tmp_path}/t10k-labels-idx1-ubyte.gz is not used: ") and "BNLIB_DATA" in said[1]
    assert torch.equal(data.test_labels, full.test_labels)


def test_fetch_says_in_one_line_what_is_where(capsys):
    line = fetch()
    assert "60,000" in line and "SHA-256" in line and "\n" not in line
    assert capsys.readouterr() == ("", "")


def test_fetch_prints_refusals_when_verbose_and_warns_else(tmp_path, monkeypatch, capsys):
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(b"too short")
    monkeypatch.setenv("BNLIB_DATA", str(tmp_path))
    fetch(verbose=True)
    assert "t10k-labels-idx1-ubyte is not used: it is cut short" in capsys.readouterr().err
    with pytest.warns(DataWarning) as caught:
        fetch(verbose=False)
    assert "cut short" in str(caught[0].message) and capsys.readouterr() == ("", "")


def test_a_missing_device_is_refused_before_anything_is_fetched():
    with pytest.raises(ValueError, match="cuda:99"):
        fashion_mnist("cuda:99", subset=False, sources=NOWHERE)


def test_to_moves_everything_and_keeps_the_name():
    small = fashion_mnist(subset=True)
    moved = small.to("cpu")
    assert moved.name == small.name and torch.equal(moved.train_images, small.train_images)
    assert fashion_mnist("auto", subset=True).train_images.device.type in ("cpu", "cuda", "mps")
    assert repr(moved) == "FashionMNIST(fashion-mnist-subset: 6,000 + 1,000 images on cpu)"


def test_class_names_in_both_languages(chinese):
    small = fashion_mnist(subset=True)
    assert small.class_names()[9] == "短靴" and len(small.class_names()) == 10
    bnlib.set_language("en")
    assert small.class_names()[9] == "ankle boot" and len(set(small.class_names())) == 10


def test_messages_come_in_chinese(chinese):
    with pytest.raises(DataUnavailableError, match="^本机没有完整的Fashion-MNIST.*--subset.*图像。$"):
        fetch(sources=NOWHERE)


@pytest.mark.parametrize("damage", ["cut", "other", "missing"])
def test_a_damaged_subset_is_refused_by_name(tmp_path, damage):
    path = tmp_path / "subset.xz"
    if damage != "missing":
        shutil.copy(subset_module.PATH, path)
        content = path.read_bytes()
        path.write_bytes(content[:-1000] if damage == "cut" else content[:5000] + b"x" + content[5001:])
    with pytest.raises(CorruptFile, match="subset.xz is not used: .*install the package again"):
        subset_module.embedded_subset(path)

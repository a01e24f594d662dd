"""A trained model as one file for elsewhere, ONNX or torch.export: folded, loaded again, compared, put in place."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from errno import EISDIR, ENOENT
from pathlib import Path

import torch
from torch import Tensor, nn

from bnlib import lecture
from bnlib.language import message
from bnlib.norm import FoldEntry, fold_batch_norm
from bnlib.norm.fold_flow import duplicate
from bnlib.training.export_formats import FORMATS, Format, Run, program_of

BATCH_SIZES = (1, 2, 7)  # of the comparison


class ExportError(RuntimeError):
    """The model can't be exported, or the file doesn't compute what the model computes; no file was left."""


@dataclass(frozen=True)
class ExportReport:
    """What was written; printed, it says so in three lines of the current language.

    path: of the file.
    format, version: "ONNX" and its opset, or "torch.export" and torch's version.
    normalizations: a `FoldEntry` for each batch normalization: the layer it was folded into, or why it was kept.
    size: of the file, in bytes.
    largest_difference: between the file's logits and the model's in prediction mode, over batches of 1, 2 and 7.
    """

    path: Path
    format: str
    version: str
    normalizations: tuple[FoldEntry, ...]
    size: int
    largest_difference: float

    def __str__(self) -> str:
        sizes = message("data.between_names").join(map(str, BATCH_SIZES))
        return "\n".join(
            [
                message("export.written", path=self.path, format=self.format, version=self.version, size=self.size),
                self._folding(),
                message("export.verified", difference=self.largest_difference, sizes=sizes),
            ]
        )

    def _folding(self) -> str:
        if not self.normalizations:
            return message("export.nothing_to_fold")
        comma = message("data.between_names")
        folded = [
            message("export.pair", norm=entry.batch_norm, layer=entry.layer)
            for entry in self.normalizations
            if entry.folded
        ]
        kept = [entry.batch_norm for entry in self.normalizations if not entry.folded]
        clauses = [message("export.folded", pairs=comma.join(folded))] if folded else []
        clauses += [message("export.kept", names=comma.join(kept))] if kept else []
        return message("export.between_clauses").join(clauses)


def export(model: nn.Module, path: str | os.PathLike, *, tolerance: float = 1e-4) -> ExportReport:
    """Write a model for prediction into one file, with batch normalization folded where that is certain to be right.

    The file takes "images" (N, 1, 28, 28) float32 for any N and gives "logits"; its weights lie in it, and so do, as
    metadata, the range of the input and, of a model with ten classes, their names in the current language. It is
    written beside its place, loaded again and compared with the model; only then does it replace an older file.

    Args:
        model: from images (N, 1, 28, 28) to logits (N, classes). Not changed: a copy is folded, on the CPU, in
            float32 and in prediction mode, whatever the model's own device, type and mode.
        path: ends in .onnx, or in .pt2 for torch.export.
        tolerance: of the comparison, as a part of the largest logit, or of 1 where that is larger.

    Returns:
        An `ExportReport`.

    Raises:
        ValueError: another ending.
        ModuleNotFoundError: .onnx without the packages onnx and onnxscript.
        OSError: the file can't be written.
        TypeError: a model compiled by torch.compile or torch.jit.
        ExportError: a RuntimeError: torch can't export the model, or the file's logits differ by more than
            `tolerance`. An older file is then unharmed, as after any error.
    """
    path = Path(path)
    if path.suffix not in FORMATS:
        raise ValueError(message("export.ending", path=path, known=", ".join(FORMATS)))
    form = FORMATS[path.suffix]
    form.require()
    _check_place(path)
    original = duplicate(model).cpu().float().eval().requires_grad_(False)
    images = torch.rand(max(BATCH_SIZES), 1, 28, 28, generator=torch.Generator().manual_seed(0))
    folded, report = fold_batch_norm(original, images)
    expected = _logits(original, images)
    metadata = _metadata(expected[0].shape[1])
    with _refusing(form, model):
        content = form.content(program_of(folded, images), metadata)
    with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder:
        draft = Path(folder) / path.name
        draft.write_bytes(content)
        with _refusing(form, model):
            got = _logits(form.load(draft), images)
        difference = _compare(got, expected, tolerance, path)
        os.replace(draft, path)
    entries = (*report.entries, *_of_the_lecture(original))
    return ExportReport(path, form.name, form.version, entries, len(content), difference)


def _check_place(path: Path) -> None:
    """Refuse before the work what can't be written after it."""
    if not path.parent.is_dir():
        raise FileNotFoundError(ENOENT, os.strerror(ENOENT), str(path.parent))
    if path.is_dir():
        raise IsADirectoryError(EISDIR, os.strerror(EISDIR), str(path))


@torch.no_grad()
def _logits(run: Run, images: Tensor) -> list[Tensor]:
    """What comes out for the first 1, 2 and 7 images."""
    results = [run(images[:size].clone()) for size in BATCH_SIZES]
    for size, logits in zip(BATCH_SIZES, results, strict=True):
        if not isinstance(logits, Tensor) or logits.dim() != 2 or len(logits) != size:
            got = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
            raise ExportError(message("export.no_logits", got=got, size=size))
    return results


def _metadata(classes: int) -> dict[str, str]:
    names = message("data.class_names")
    named = {"class_names": names} if classes == names.count("|") + 1 else {}
    return {"input": "images (N, 1, 28, 28), float32", "input_range": "0 1", "output": "logits", **named}


@contextmanager
def _refusing(form: Format, model: nn.Module) -> Iterator[None]:
    """One sentence for whatever goes wrong in an exporter: they raise a dozen types, with messages of many lines."""
    try:
        yield
    except ExportError:
        raise
    except Exception as error:
        root = error
        while root.__cause__ is not None:
            root = root.__cause__
        reason = (str(root).strip() or type(root).__name__).splitlines()[0]
        sentence = message("export.refused", model=type(model).__name__, format=form.name, reason=reason)
        raise ExportError(sentence) from error


def _compare(got: list[Tensor], expected: list[Tensor], tolerance: float, path: Path) -> float:
    """The largest difference, if it is small enough; a nan is not."""
    ours = torch.cat(expected)
    difference = (torch.cat(got) - ours).abs().max().item()
    allowed = tolerance * max(1.0, ours.abs().max().item())
    if not difference <= allowed:
        raise ExportError(message("export.differs", path=path, difference=difference, allowed=allowed))
    return difference


def _of_the_lecture(model: nn.Module) -> list[FoldEntry]:
    """The lecture's layers, which are not of torch's family, so that the report of the folding passes them over."""
    reason = "the lecture's layer is written out as it computes"
    names = [name for name, module in model.named_modules() if type(module) is lecture.BatchNorm]
    return [FoldEntry(name, None, reason) for name in names]

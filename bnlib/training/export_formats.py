"""The two formats a model is exported to: how a file of each is made, and how it is run again.

Both begin with torch.export, which reads the computation for every batch size or refuses. ONNX is written from there
by torch's exporter, which needs the packages onnx and onnxscript. Its predecessor (dynamo=False) needs only onnx,
but traces one run, so that it freezes decisions on values, and it gets the normalizations of `bnlib.norm` wrong.
"""

import contextlib
import io
import json
import logging
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from bnlib.language import message

OPSET = 18  # of ONNX: what torch's exporter writes by itself; runtimes have read it since 2023
INPUT, OUTPUT, BATCH = "images", "logits", "N"
METADATA = "metadata.json"  # name inside of a .pt2 file

Run = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Format:
    """One kind of file.

    name, version: as the report says them.
    require: raises ModuleNotFoundError where a package is missing.
    content: from a program and the metadata to the bytes of a file.
    load: from a file to the function from images to logits that it holds.
    """

    name: str
    version: str
    require: Callable[[], None]
    content: Callable[[ExportedProgram, dict[str, str]], bytes]
    load: Callable[[Path], Run]


def program_of(model: nn.Module, images: Tensor) -> ExportedProgram:
    """The computation of a model in prediction mode, for every batch size, without the paths of its source files."""
    with torch.no_grad(), _quiet():
        program = torch.export.export(model, (images,), dynamic_shapes=({0: Dim(BATCH)},), strict=False)
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)
    return program


def _pt2_content(program: ExportedProgram, metadata: dict[str, str]) -> bytes:
    file = io.BytesIO()
    torch.export.save(program, file, extra_files={METADATA: json.dumps(metadata, ensure_ascii=False)})
    return file.getvalue()


def _pt2_load(path: Path) -> Run:
    return torch.export.load(path).module()


def _onnx_content(program: ExportedProgram, metadata: dict[str, str]) -> bytes:
    import onnx

    with warnings.catch_warnings():
        # torch of itself, when it copies a program
        warnings.filterwarnings("ignore", r"`isinstance\(treespec, LeafSpec\)` is deprecated", FutureWarning)
        exported = torch.onnx.export(
            program,
            dynamo=True,
            verbose=False,
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes=({0: BATCH},),
        )
    written = exported.model_proto
    onnx.helper.set_model_props(written, metadata)
    return written.SerializeToString()


def _onnx_load(path: Path) -> Run:
    import onnx
    from onnx.reference import ReferenceEvaluator

    onnx.checker.check_model(path, full_check=True)
    session = ReferenceEvaluator(str(path))

    def run(images: Tensor) -> Tensor:
        with np.errstate(all="ignore"):  # infinities and nan pass in silence, as in torch
            return torch.from_numpy(session.run([OUTPUT], {INPUT: images.numpy()})[0])

    return run


def _require_onnx() -> None:
    for package in ("onnx", "onnxscript"):
        try:
            import_module(package)
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(message("export.onnx_missing", package=package), name=package) from error


FORMATS = {
    ".onnx": Format("ONNX", f"opset {OPSET}", _require_onnx, _onnx_content, _onnx_load),
    ".pt2": Format("torch.export", f"torch {torch.__version__}", lambda: None, _pt2_content, _pt2_load),
}


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep from the terminal what torch.export says on its own; where it refuses, its exception says it all."""
    log = logging.getLogger("torch.fx.experimental.symbolic_shapes")
    level, printed = log.level, io.StringIO()
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stderr(printed):
            # the lecture's layer assigns its moving statistics, in prediction the ones it had
            assigned = r"The tensor attributes? (self\.\S*moving_(mean|var)(, )?)+ (was|were) assigned"
            warnings.filterwarnings("ignore", assigned, UserWarning)
            yield
    except Exception as error:
        error.add_note(printed.getvalue())  # the graph up to the place of the failure
        raise
    else:
        sys.stderr.write(printed.getvalue())  # the model's own words
    finally:
        log.setLevel(level)

"""python -m bnlib train."""

import argparse
import tempfile
from importlib.util import find_spec
from pathlib import Path

from bnlib.language import message


def train(args: argparse.Namespace) -> None:
    """Train a LeNet, print a line for every epoch, and keep what was asked for; also as one of torchrun's processes."""
    from bnlib.training import TrainConfig
    from bnlib.training.distributed import together

    fields = ("epochs", "lr", "batch_size", "seed", "path", "precision", "score_every")
    config = TrainConfig(**{name: getattr(args, name) for name in fields})
    _check_outputs(args)
    with together(args.device) as device:
        _run(args, config, device)


def _run(args: argparse.Namespace, config, device) -> None:
    import torch

    from bnlib.norm import SyncBatchNorm
    from bnlib.training import LeNet, choose_device, fashion_mnist
    from bnlib.training.distributed import World

    device, world = choose_device(device), World.here()
    torch.manual_seed(config.seed)
    model = LeNet(args.norm)
    data = fashion_mnist(device, subset=args.subset)
    begun = _begun(args)
    number = _threads(args, begun, model, data) if device.type == "cpu" else None
    if world.leads:
        sizes = {"train": len(data.train_labels), "test": len(data.test_labels)}
        print(message("command.training", norm=args.norm, data=data.name, device=device, **sizes), flush=True)
        if number is not None:
            print(message("command.threads", number=number), flush=True)
        if begun is not None:
            done = {"epochs": begun["epoch"] - 1, "steps": begun["done"]}
            print(message("command.goes_on", path=args.checkpoint, **done), flush=True)
    if world.size > 1 and not args.local_statistics:
        model = SyncBatchNorm.convert_sync_batchnorm(model)
    _train_and_tell(args, model, data, config, device, number, world)


def _train_and_tell(args: argparse.Namespace, model, data, config, device, number: int | None, world) -> None:
    from tqdm import tqdm

    from bnlib.training import DivergedError, Moment, train
    from bnlib.training.threads import threads

    def report(moment: Moment) -> None:
        if moment.row is not None and world.leads:
            with tqdm.external_write_mode():  # above the progress bar, where there is one
                print(moment.row, flush=True)

    error = None
    with threads(number):
        try:
            keep = {"checkpoint": args.checkpoint, "resume": args.resume}
            history = train(model, data, config, device=device, callback=report, **keep)
        except DivergedError as diverged:
            history, error = diverged.history, diverged
    if history.rows and world.leads:  # after Ctrl-C or divergence as well: what there is
        for scores in history.scores:
            print(scores)
        print(message("command.path_taken", path=history.path))
        print(message("training.speed", rate=history.examples_per_second, device=device))
        _write(history, args)
    if error is not None:
        raise error
    if history.interrupted:
        raise KeyboardInterrupt


def _write(history, args: argparse.Namespace) -> None:
    if args.history is not None:
        write = history.write_jsonl if args.history.suffix == ".jsonl" else history.write_csv
        print(message("command.written", path=write(args.history)))
    if args.tensorboard is not None:
        print(message("command.written", path=history.write_tensorboard(args.tensorboard)))


def _begun(args: argparse.Namespace) -> dict | None:
    """The state of the run that is taken up again; None for a new one."""
    from bnlib.training.checkpoint import read

    return read(args.checkpoint) if args.resume and args.checkpoint is not None and args.checkpoint.exists() else None


def _threads(args: argparse.Namespace, begun: dict | None, model, data) -> int:
    """The number asked for; of a run that is taken up again, the number it had; else the faster of one and all."""
    from bnlib.training.distributed import World
    from bnlib.training.threads import fastest_threads

    if args.threads != "auto":
        if args.threads < 1:
            raise ValueError(message("training.not_whole", name="threads", value=args.threads, least=1))
        return args.threads
    if begun is not None:
        return begun["threads"]
    return 1 if World.here().size > 1 else fastest_threads(model, data)


def _check_outputs(args: argparse.Namespace) -> None:
    """Miss a package or a place now rather than after the last epoch."""
    if args.history is not None:
        check_writable(args.history)
        if args.history.suffix != ".jsonl" and find_spec("pandas") is None:
            raise ModuleNotFoundError(message("command.module_missing", module="pandas"), name="pandas")
    if args.tensorboard is not None:
        if find_spec("tensorboard") is None:
            raise ModuleNotFoundError(message("training.tensorboard_missing"), name="tensorboard")
        try:
            args.tensorboard.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=args.tensorboard).close()
        except OSError as error:
            error.filename = str(args.tensorboard)  # not the temporary file
            raise


def check_writable(path: Path) -> None:
    """Refuse before the training what would otherwise lose its table afterwards."""
    try:
        tempfile.TemporaryFile(dir=path.parent).close()
        refused = path.is_dir()
    except OSError:
        refused = True
    if refused:
        raise ValueError(message("command.unwritable", path=path))

"""What follows a training: python -m bnlib evaluate, predict, export."""

import argparse
import sys

from bnlib.language import message


def evaluate(args: argparse.Namespace) -> None:
    """Score the model of a checkpoint on the test images; with batch normalization, by three kinds of statistics."""
    from torch.nn.modules.batchnorm import _BatchNorm

    from bnlib.training import choose_device, evaluate, fashion_mnist, load_model, score

    device = choose_device(args.device)
    model = load_model(args.model).to(device)
    data = fashion_mnist(device, subset=args.subset)
    print(message("command.evaluating", norm=model.norm, data=data.name, test=len(data.test_labels)))
    if any(isinstance(module, _BatchNorm) for module in model.modules()):
        print(score(model, data, 256))
    else:
        print(message("command.accuracy", accuracy=evaluate(model, data.test_images, data.test_labels)))


def predict(args: argparse.Namespace) -> None:
    """Say of each image file how it was understood and what the model takes it for; at the end, which can't be read."""
    from bnlib.training import load_model, predict, read_picture

    model, failures = load_model(args.model), []
    for path in args.images:
        try:
            picture = read_picture(path)
        except (OSError, ValueError) as error:
            failures.append(error)
        else:
            print(picture)
            print("  " + str(predict(model, picture.image)[0]))
    for error in failures[:-1]:
        print(error, file=sys.stderr)
    if failures:
        raise failures[-1]


def export(args: argparse.Namespace) -> None:
    """Write the model of a checkpoint for use elsewhere."""
    from bnlib.training import export, load_model

    print(export(load_model(args.model), args.file))

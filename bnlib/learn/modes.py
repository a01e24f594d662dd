"""Widget: which statistics a layer uses and whether it changes them, in each mode, with gradients on and off."""

from html import escape

import torch
from torch import nn
from traitlets import Bool, Unicode

from bnlib import lecture, norm
from bnlib.learn.traits import Choice, Switch
from bnlib.learn.widget import CourseWidget

CHANNELS, EPS = 6, 1e-5
# name -> (what a program writes, the layer that it makes)
LAYERS = {
    "lecture": ("lecture.BatchNorm(6, num_dims=4)", lambda: lecture.BatchNorm(CHANNELS, num_dims=4)),
    "torch": ("torch.nn.BatchNorm2d(6)", lambda: nn.BatchNorm2d(CHANNELS)),
    "bnlib": ("bnlib.BatchNorm2d(6)", lambda: norm.BatchNorm2d(CHANNELS)),
}
COMBINATIONS = [(layer, mode, grad) for layer in LAYERS for mode in ("train", "eval") for grad in (True, False)]


def key(layer: str, mode: str, grad: bool) -> str:
    """The name of a combination in the table, as in modes.js."""
    return f"{layer} {mode} {'on' if grad else 'off'}"


def moving_averages(layer: nn.Module) -> list[torch.Tensor]:
    """Copies of a layer's moving mean and variance, (1, C, 1, 1), whatever it calls them."""
    prefix = "moving" if hasattr(layer, "moving_mean") else "running"
    return [getattr(layer, f"{prefix}_{name}").detach().clone().view(1, -1, 1, 1) for name in ("mean", "var")]


def ask(layer: nn.Module, mode: str, grad: bool) -> list:
    """Run a fresh layer on a batch: which statistics it used, "batch" or "moving", and whether it changed its own.

    Raises:
        RuntimeError: its output is that of neither.
    """
    seed = torch.Generator().manual_seed(0)
    x = 3 + 2 * torch.randn(8, CHANNELS, 5, 5, generator=seed)  # far from mean 0 and variance 1
    before = moving_averages(layer)
    layer.train(mode == "train")
    with torch.set_grad_enabled(grad):
        out = layer(x)
    changed = not all(map(torch.equal, before, moving_averages(layer)))
    for used, (mean, var) in (("batch", norm.batch_mean_var(x)), ("moving", before)):
        if torch.allclose(out, (x - mean) / torch.sqrt(var + EPS), atol=1e-4):
            return [used, changed]
    raise RuntimeError(
        f"{type(layer).__name__} in mode {mode} used neither the batch's statistics nor its moving averages"
    )


class WhichMode(CourseWidget):
    """Three layers, train() or eval(), gradients on or off: which statistics are used, which change; predict, then see.

    The learner says which statistics a layer normalizes by and whether its moving averages change. The answers are
    measured each time a widget is made, by running the twelve combinations on a small batch.

    Traits:
        layer: "lecture" (`bnlib.lecture.BatchNorm`), "torch" (torch.nn.BatchNorm2d) or "bnlib" (`bnlib.BatchNorm2d`).
        mode: "train" or "eval". grad: whether gradients are on.
        statistics: "batch" or "moving", what the layer normalizes by. changes: whether its moving averages change.
            Both measured, read-only.

    Raises:
        TraitError: another value, which the message names.
    """

    name = "modes"

    layer = Choice(*LAYERS)
    mode = Choice("train", "eval")
    grad = Switch(True)

    statistics = Unicode(read_only=True)
    changes = Bool(read_only=True)

    def measured(self) -> dict:
        """The twelve combinations, each with what `ask` found, and the code that makes each layer."""
        table = {key(layer, mode, grad): ask(LAYERS[layer][1](), mode, grad) for layer, mode, grad in COMBINATIONS}
        return {"code": {layer: code for layer, (code, _) in LAYERS.items()}, "table": table}

    def _compute(self) -> None:
        statistics, changes = self.data["table"][key(self.layer, self.mode, self.grad)]
        self.set_trait("statistics", statistics)
        self.set_trait("changes", changes)

    def picture(self) -> str:
        """The table of all combinations."""
        texts, words = [], []
        for column, layer in enumerate(LAYERS):
            texts.append(f'<text x="{230 + 120 * column}" y="24" font-weight="700">{self.say(layer)}</text>')
        for row, (mode, grad) in enumerate([(mode, grad) for _, mode, grad in COMBINATIONS[:4]]):
            setting = f"{mode}(){self.marks['comma']}{self.say('grad_on' if grad else 'grad_off')}"
            texts.append(f'<text x="10" y="{62 + 38 * row}">{setting}</text>')
            for column, layer in enumerate(LAYERS):
                statistics, changes = self.data["table"][key(layer, mode, grad)]
                cell = f"{self.say(statistics)}{self.marks['comma'] + self.say('update') if changes else ''}"
                texts.append(f'<text x="{230 + 120 * column}" y="{62 + 38 * row}">{cell}</text>')
                words.append(f"{self.say(layer)}{self.marks['comma']}{setting}{self.marks['colon']}{cell}")
        title = escape(self.marks["semicolon"].join(words), quote=True)
        return (
            f'<svg viewBox="0 0 600 192" role="img" aria-label="{title}" style="max-width:600px;background:#fff">'
            f'<path d="M8 36H592" stroke="#888"/><g font-size="14">{"".join(texts)}</g></svg>'
            f"<p>{self.say('caption')}</p>"
        )

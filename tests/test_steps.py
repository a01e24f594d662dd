"""The paths of a step: eager, compiled, reduced precision, a CUDA graph; one mathematics."""

import pytest
import torch
from torch import nn
from training_data import few, lenet, part, timeless

from bnlib.training import TrainConfig, TrainingWarning, train
from bnlib.training.distributed import World
from bnlib.training.kernels.build import BuildError, libraries
from bnlib.training.steps import make_steps

CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here: CUDA graphs were not run")


@pytest.fixture(scope="module")
def data():
    return few()


def weights(model):
    return {name: tensor.detach().cpu().clone() for name, tensor in model.state_dict().items()}


def run(data, path, norm="batch", precision="float32", device="cpu", epochs=2):
    model = lenet(norm)
    history = train(model, data, TrainConfig(epochs=epochs, path=path, precision=precision), device=device)
    return model, history


def test_compiled_gives_what_eager_gives(data):
    data = part(data, 512, 200)  # no tail: a second size would be compiled again
    eager, one = run(data, "eager")
    compiled, two = run(data, "compiled")
    assert (one.path, two.path) == ("eager", "compiled, channels_last")
    for name, tensor in weights(eager).items():
        torch.testing.assert_close(compiled.state_dict()[name], tensor, rtol=2e-3, atol=2e-4)
    for a, b in zip(one.rows, two.rows, strict=True):
        assert b.loss == pytest.approx(a.loss, rel=1e-4)
    assert all(p.is_contiguous() for p in compiled.parameters())  # the layout was for the run


@pytest.mark.parametrize("norm", ["batch", "torch", "none"])
def test_bfloat16_learns_alike_with_statistics_in_float32(data, norm):
    _, exact = run(data, "eager", norm, epochs=3)
    model, rough = run(data, "eager", norm, "bfloat16", epochs=3)
    assert all(t.dtype != torch.bfloat16 for t in model.state_dict().values())
    assert rough.rows[-1].loss == pytest.approx(exact.rows[-1].loss, rel=0.1)
    assert rough.rows != exact.rows


def test_a_graph_needs_cuda(data):
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="A CUDA graph cannot run on cpu"):
            run(data, "graph")
    with pytest.raises(ValueError, match="path is 'fast'; expected one of: auto, eager, compiled, graph"):
        TrainConfig(path="fast")
    with pytest.raises(ValueError, match="precision is 'float8'; expected one of: float32, bfloat16"):
        TrainConfig(precision="float8")


def test_auto_is_eager_on_a_cpu(data):
    assert make_steps(lenet(), data, TrainConfig(), World(), print).path == "eager"


@CUDA
@pytest.mark.parametrize("norm", ["batch", "torch", "none"])
def test_a_graph_gives_what_eager_gives(data, norm):
    data = data.to("cuda")
    eager, one = run(data, "eager", norm, device="cuda")
    graph, two = run(data, "auto", norm, device="cuda")
    assert two.path == "CUDA graph"
    for name, tensor in weights(eager).items():
        torch.testing.assert_close(graph.state_dict()[name].cpu(), tensor, rtol=1e-3, atol=1e-4)
    for a, b in zip(timeless(one), timeless(two), strict=True):
        assert b.loss == pytest.approx(a.loss, rel=1e-4)


@CUDA
def test_a_graph_is_stopped_and_resumed(data, tmp_path):
    def stop(moment):
        if (moment.kind, moment.step) == ("step", 5):
            raise KeyboardInterrupt

    data, path = data.to("cuda"), tmp_path / "run.pt"
    whole = train(lenet(), data, TrainConfig(epochs=3), device="cuda")
    with pytest.raises(KeyboardInterrupt):
        train(lenet(), data, TrainConfig(epochs=3), checkpoint=path, checkpoint_seconds=0, callback=stop)
    rest = train(lenet(), data, TrainConfig(epochs=3), checkpoint=path, resume=True)
    for a, b in zip(whole.rows, rest.rows, strict=True):
        assert b.loss == pytest.approx(a.loss, rel=1e-4)


@CUDA
def test_what_a_graph_cannot_follow_runs_eagerly(data):
    _, history = run(data.to("cuda"), "auto", "lecture", device="cuda")
    assert history.path == "eager"
    with pytest.warns(TrainingWarning, match="CUDA graph cannot follow"):
        run(data.to("cuda"), "graph", "lecture", device="cuda")


@CUDA
def test_dropout_draws_anew_at_each_replay(data):
    model = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(784, 10))
    losses = []
    config = TrainConfig(epochs=1, lr=1e-12)
    for _ in range(2):
        train(model, data.to("cuda"), config, callback=lambda moment: losses.append(moment.loss.item()))
    assert len(set(losses)) == len(losses)


@pytest.mark.skipif(isinstance(libraries(), BuildError), reason="no C++ compiler here: the C++ loops were not run")
@pytest.mark.parametrize("norm", ["batch", "none"])
def test_the_loops_give_what_eager_gives(data, norm):
    (eager, one), (loops, two) = run(data, "eager", norm), run(data, "kernels", norm)
    assert two.path == "C++ loops"
    for name, tensor in weights(eager).items():
        torch.testing.assert_close(loops.state_dict()[name], tensor, rtol=2e-3, atol=2e-4)
    for a, b in zip(one.rows, two.rows, strict=True):
        assert b.loss == pytest.approx(a.loss, rel=1e-4)


def test_what_the_loops_cannot_do_runs_eagerly_and_says_so(data):
    with pytest.warns(TrainingWarning, match=r"norm1.*The steps run eagerly instead\."):
        model, history = run(data, "kernels", "lecture", epochs=1)
    eager, _ = run(data, "eager", "lecture", epochs=1)
    assert history.path == "eager"
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), eager.parameters(), strict=True))
    with pytest.raises(ValueError, match="compute in float32, not in bfloat16"):
        TrainConfig(path="kernels", precision="bfloat16")

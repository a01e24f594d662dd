"""TensorBoard: its own reader finds every epoch and the hyperparameters; a callback can write each step."""

import subprocess
import sys
from dataclasses import replace

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData
from torch.utils.tensorboard import SummaryWriter
from training_data import few, lenet

from bnlib.training import EpochRow, History, TrainConfig, train
from bnlib.training.tensorboard import TAGS

ROWS = (EpochRow(1, 0.75, 0.1, 1 / 3, 2.0), EpochRow(2, 0.5, 0.8, 0.75, 3.0))
CONFIG = TrainConfig(epochs=2, lr=0.5, batch_size=128)
WRITE = """
import sys
{before}
import bnlib
from bnlib.training import EpochRow, History, TrainConfig
bnlib.set_language("{language}")
rows = tuple(EpochRow(epoch, 0.5, 0.5, 0.5, 1.0) for epoch in range(1, {epochs} + 1))
try:
    History(rows, TrainConfig({epochs}), "fashion-mnist", "cpu", 60000).write_tensorboard(sys.argv[1])
except OSError as error:  # told on the one stream that TensorBoard's thread doesn't write to
    sys.exit(print(error))
"""


def history(rows=ROWS):
    return History(rows, CONFIG, "fashion-mnist-subset", "cpu", 6000, "CUDA graph", norm="batch")


def read(folder):
    events = EventAccumulator(str(folder))
    events.Reload()
    return events


def scalars(folder):
    events = read(folder)
    return {tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def written(rows):
    return {tag: [(row.epoch, pytest.approx(getattr(row, column))) for row in rows] for tag, column in TAGS.items()}


def test_tensorboard_reads_every_epoch(tmp_path):
    folder = tmp_path / "runs" / "first"
    assert history().write_tensorboard(str(folder)) == folder
    assert scalars(folder) == written(ROWS)
    assert len(list(folder.iterdir())) == 1  # one run: no folder below it


def test_its_relative_time_is_that_of_training(tmp_path):
    events = read(history().write_tensorboard(tmp_path)).Scalars("loss/train")
    assert events[1].wall_time - events[0].wall_time == pytest.approx(3.0, abs=1e-3)


def test_hyperparameters_are_there_to_compare_runs_by(tmp_path):
    plugin = read(history().write_tensorboard(tmp_path)).summary_metadata
    start, experiment = (
        HParamsPluginData.FromString(plugin[f"_hparams_/{name}"].plugin_data.content)
        for name in ("session_start_info", "experiment")
    )
    found = start.session_start_info.hparams
    assert found["lr"].number_value == 0.5 and found["batch_size"].number_value == 128
    assert found["norm"].string_value == "batch" and found["path"].string_value == "CUDA graph"
    assert {metric.name.tag for metric in experiment.experiment.metric_infos} == set(TAGS)


def test_writing_again_replaces_our_events_and_nothing_else(tmp_path):
    with SummaryWriter(tmp_path) as writer:
        writer.add_scalar("mine", 1.0, 7)
    (tmp_path / "notes.txt").write_text("kept")
    history().write_tensorboard(tmp_path)
    longer = (*ROWS, replace(ROWS[1], epoch=3))
    history(longer).write_tensorboard(tmp_path)
    assert scalars(tmp_path) == {**written(longer), "mine": [(7, 1.0)]}
    assert len(list(tmp_path.iterdir())) == 3


def test_a_history_without_epochs_is_no_error(tmp_path):
    assert scalars(history(()).write_tensorboard(tmp_path)) == {}


def test_a_callback_drives_it_step_by_step(tmp_path):
    losses, gradients = [], []
    with SummaryWriter(tmp_path) as writer:

        def watch(moment):
            if moment.kind == "step":
                gradient = moment.model.conv1.weight.grad.norm()
                writer.add_scalar("loss/step", moment.loss, moment.step)
                writer.add_scalar("gradient/conv1", gradient, moment.step)
                losses.append((moment.step, moment.loss.item()))
                gradients.append((moment.step, gradient.item()))

        train(lenet(), few(), TrainConfig(epochs=2), device="cpu", progress=False, callback=watch)
    assert scalars(tmp_path) == {"loss/step": losses, "gradient/conv1": gradients}
    assert [step for step, _ in losses] == [1, 2, 3, 4, 5, 6]


def run(language, folder, before="", epochs=2):
    code = WRITE.format(language=language, before=before, epochs=epochs)
    return subprocess.run([sys.executable, "-c", code, folder], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("language", "sentence"), [("en", "is not installed: pip"), ("zh", "尚未安装：pip")])
def test_without_the_package_a_sentence_says_how_to_get_it(tmp_path, language, sentence):
    done = run(language, tmp_path / "new", "sys.modules['tensorboard'] = None")
    last = done.stderr.splitlines()[-1]
    assert last.startswith("ModuleNotFoundError: ") and last.endswith(f"{sentence} install tensorboard")
    assert not (tmp_path / "new").exists()


def test_a_full_disk_leaves_the_older_events_alone(tmp_path):
    history().write_tensorboard(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))"
    done = run("en", tmp_path, limit, epochs=2000)
    assert done.stdout == "[Errno 27] File too large\n"
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_file_in_its_place_is_refused(tmp_path):
    (tmp_path / "run").write_text("mine")
    with pytest.raises(FileExistsError, match="run"):
        history().write_tensorboard(tmp_path / "run")
    assert (tmp_path / "run").read_text() == "mine"

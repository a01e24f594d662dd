"""python -m bnlib: real runs in both languages, and one sentence with an exit status for whatever is wrong."""

import argparse
import csv
import os
import re
import signal
import subprocess
import sys
import unicodedata

import pytest
import torch
from PIL import Image

import bnlib
from bnlib import command
from bnlib.training import TrainConfig
from bnlib.training.lenet import NORMS

PLAIN = {name: value for name, value in os.environ.items() if name not in ("LC_ALL", "LC_MESSAGES", "LANG")}


def python(*words, env=(), timeout=120):
    """Run python with these words and give its exit status, output and error output."""
    environment = {**PLAIN, "PYTHONUTF8": "1", **dict(env)}
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, env=environment, timeout=timeout)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def run(monkeypatch, capsys):
    """Run a command in this process, where torch is imported already."""
    monkeypatch.setattr(argparse, "_", argparse._)  # both are put back afterwards
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)

    def run(*words):
        try:
            status = command.main(list(words))
        except SystemExit as leaving:
            status = leaving.code
        return status, *capsys.readouterr()

    yield run
    bnlib.set_language("en")


def one_sentence(text):
    return text.count("\n") == 1 and text.endswith((".\n", "。\n")) and "Traceback" not in text


def test_train_on_the_subset_prints_and_writes_every_epoch(tmp_path):
    path = tmp_path / "run.csv"
    words = ("train", "--subset", "--epochs", "2", "--history", str(path))
    status, out, err = python("-m", "bnlib", *words)
    assert (status, err) == (0, "")
    head, threads, first, second, path_taken, speed, written = out.splitlines()
    assert re.fullmatch(r"threads: \d+", threads) and path_taken == "the steps ran: eager"
    assert head == (
        "LeNet with normalization batch on fashion-mnist-subset: "
        "6,000 training images, 1,000 test images, device " + head.split()[-1]
    )
    shape = r"epoch (\d): loss (\d\.\d{3}), train accuracy (0\.\d{3}), test accuracy (0\.\d{3}), \d+\.\d s"
    rows = [re.fullmatch(shape, line).groups() for line in (first, second)]
    with path.open() as file:
        table = list(csv.DictReader(file))
    names = ("loss", "train_accuracy", "test_accuracy")
    assert rows == [(row["epoch"], *(f"{float(row[name]):.3f}" for name in names)) for row in table]
    assert {row["data"] for row in table} == {"fashion-mnist-subset"}
    assert float(rows[1][2]) > 0.5 and "examples/s" in speed and written == f"written: {path}"


def test_train_in_chinese_by_the_locale():
    words = ("train", "--subset", "--epochs", "1", "--norm", "lecture", "--device", "cpu")
    status, out, err = python("-m", "bnlib", *words, env={"LANG": "zh_CN.UTF-8"})
    assert (status, err) == (0, "")
    head, threads, row, path_taken, speed = out.splitlines()
    assert threads.startswith("线程数：") and path_taken == "每步的执行方式：eager"
    assert head == "LeNet，归一化方式lecture，数据fashion-mnist-subset：6,000张训练图像，1,000张测试图像，设备cpu"
    assert row.startswith("迭代周期1：损失") and "在cpu上每秒训练" in speed


def test_the_seed_decides_the_run(run):
    def numbers(seed):
        words = ("train", "--subset", "--epochs", "1", "--norm", "none", "--batch-size", "6000")
        status, out, _ = run(*words, "--seed", seed, "--device", "cpu")
        assert status == 0
        return re.search(r"loss .* test accuracy 0\.\d+", out).group()

    assert numbers("5") == numbers("5") != numbers("6")


def listen_to_ctrl_c():
    """A shell's background jobs, and with them their children, ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_ctrl_c_keeps_what_there_is(tmp_path):
    path = tmp_path / "run.csv"
    words = [sys.executable, "-m", "bnlib", "train", "--subset", "--epochs", "1000", "--history", str(path)]
    options = {"stdout": -1, "stderr": -1, "text": True, "env": {**PLAIN, "PYTHONUTF8": "1"}}
    with subprocess.Popen(words, preexec_fn=listen_to_ctrl_c, **options) as process:
        begun = [process.stdout.readline() for _ in range(3)]
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err == "Stopped by Ctrl-C; what stands above is what was finished.\n"
    finished = [line for line in [*begun, *out.splitlines()] if line.startswith("epoch")]
    assert len(finished) >= 1 and len(path.read_text().splitlines()) == 1 + len(finished)


def test_a_reader_that_goes_away_ends_the_run_quietly():
    words = [sys.executable, "-m", "bnlib", "train", "--subset", "--epochs", "1000"]
    with subprocess.Popen(words, stdout=-1, stderr=-1, text=True, env=PLAIN) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == "" and process.wait(timeout=60) == 1


def test_a_diverged_run_keeps_what_there_is(run, tmp_path):
    status, out, err = run("train", "--subset", "--lr", "1e38")
    assert status == 1 and one_sentence(err) and "at learning rate 1e+38" in err and out.count("\n") == 2


@pytest.mark.parametrize(("words", "sentence"), [
    ("paint", "argument COMMAND: got 'paint'; expected one of "),
    ("train --epochs x", "argument --epochs: got 'x'; expected a whole number; see python -m bnlib train --help."),
    ("train --epochs", "argument --epochs: expected one value; "),
    ("train --lr fast", "argument --lr: got 'fast'; expected a number; "),
    ("train --subset=3", "argument --subset: takes no value, got '3'; "),
    ("train --fast", "unrecognized arguments: --fast; see python -m bnlib --help."),
    ("train --epo 3", "unrecognized arguments: --epo 3; "),
    ("--lang fr", "argument --lang: got 'fr'; expected one of "),
    ("--lang", "argument --lang: expected one value; "),
    ("train --epochs 0", "epochs is 0; expected a whole number of at least 1."),
    ("train --batch-size 0", "batch_size is 0; expected a whole number of at least 1."),
    ("train --seed -1", "seed is -1; expected a whole number of at least 0."),
    ("train --lr -1", "lr is -1.0; expected a finite number above 0."),
    ("train --lr nan", "lr is nan; expected a finite number above 0."),
    ("train --norm layer", "LeNet got the normalization 'layer'; expected one of: none, batch, torch, lecture."),
    ("train --device cuda:99", "The device cuda:99 is not to be had here; expected \"auto\" or one of: cpu"),
    ("train --history /nowhere/run.csv", "/nowhere/run.csv cannot be written; "),
    ("train --history /", "/ cannot be written; "),
    ("train --subset --resume", "Resuming needs the file to go on from; "),
    ("train --subset --batch-size 5999", "Batch size 5999 leaves one of the 6000 examples alone in a batch"),
    ("lab nothing", "There is no experiment 'nothing'; expected one of: "),
])  # fmt: skip
def test_wrong_arguments_get_one_sentence_and_status_2(run, words, sentence):
    status, out, err = run(*words.split())
    assert status == 2 and err.startswith(sentence) and one_sentence(err)


@pytest.mark.parametrize(("words", "sentence"), [
    ("paint --lang zh", "参数COMMAND：得到'paint'，应为以下之一："),
    ("--lang zh train --epochs x", "参数--epochs：得到'x'，应为整数；用法见python -m bnlib train --help。"),
    ("train --lang=zh --epochs", "参数--epochs：后面应有一个值；"),
    ("train --lang zh --subset=3", "参数--subset：不带值，却得到'3'；"),
    ("train --lang zh --fast", "无法识别的参数：--fast；用法见python -m bnlib --help。"),
    ("train --lang en --lang zh --epochs 0", "epochs的值为0；应为不小于1的整数。"),
    ("train --lang zh --norm layer", "LeNet不认识归一化方式'layer'；应为以下之一："),
    ("train --lang zh --history /nowhere/run.csv", "无法写入/nowhere/run.csv；"),
])  # fmt: skip
def test_wrong_arguments_in_chinese(run, words, sentence):
    status, out, err = run(*words.split())
    assert status == 2 and err.startswith(sentence) and one_sentence(err)
    assert not re.search("argument|expected|invalid|choice|usage|error", err)


def test_without_data_or_torch_a_command_says_so(run, monkeypatch):
    from bnlib.training.sources import Sources

    nowhere = Sources(installed=None, mirrors=(), apt=False)
    monkeypatch.setattr(sys.modules["bnlib.training.fashion_mnist"], "default_sources", lambda: nowhere)
    for words in (("train",), ("data",), ("lab", "moving_statistics")):
        status, out, err = run(*words)
        assert status == 1 and "--subset" in err and err.count("\n") == 1 and "Traceback" not in err
    hidden = "import sys; sys.modules['torch'] = None; from bnlib.__main__ import main; sys.exit(main(['train']))"
    status, out, err = python("-c", hidden)
    assert (status, out) == (1, "") and one_sentence(err) and "no module torch;" in err


@pytest.mark.parametrize(
    ("package", "words"), [("pandas", "--history {}/run.csv"), ("tensorboard", "--tensorboard {}/run")]
)
def test_what_writing_will_need_is_missed_before_the_training(package, words, run, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, package, None)
    status, out, err = run("train", "--subset", *words.format(tmp_path).split())
    assert (status, out) == (1, "") and f" {package}" in err and "pip install" in err and err.count("\n") == 1


def test_a_file_in_the_place_of_the_folder_is_refused_before_the_training(run, tmp_path):
    (tmp_path / "run").write_text("mine")
    status, out, err = run("train", "--subset", "--tensorboard", str(tmp_path / "run"))
    assert (status, out) == (1, "") and err.startswith(f"The system refused {tmp_path}/run (File exists); ")
    assert one_sentence(err)


@pytest.mark.filterwarnings("default")
def test_a_refused_file_is_told_in_a_sentence_not_in_a_warning_with_code(run, monkeypatch, tmp_path):
    from bnlib.training.sources import Sources

    (tmp_path / "t10k-labels-idx1-ubyte.gz").write_bytes(b"not the file")
    only = Sources(user=tmp_path, installed=None, mirrors=(), apt=False)
    monkeypatch.setattr(sys.modules["bnlib.training.fashion_mnist"], "default_sources", lambda: only)
    status, _, err = run("train")
    refused, lacking, stopped = err.splitlines()
    assert status == 1 and "--subset" in stopped and lacking.startswith("BNLIB_DATA=")
    assert refused.startswith(f"{tmp_path}/t10k-labels-idx1-ubyte.gz is not used: ")


def test_a_refusal_of_the_system_is_one_sentence(run, tmp_path, monkeypatch):
    (tmp_path / "lab_results").write_text("a file where the results' folder belongs")
    monkeypatch.chdir(tmp_path)

    def measure(data, config):
        raise AssertionError("half an hour, for nothing")

    monkeypatch.setattr("bnlib.lab.moving_statistics.measure", measure)
    status, out, err = run("lab", "moving_statistics", "--quick", "--subset")
    assert status == 1 and one_sentence(err) and "lab_results" in err


@pytest.mark.parametrize(
    ("limit", "words", "sentence"),
    [
        (20, "train --subset --epochs 1 --history", "The system refused {path} (File too large); make room "),
        (999, "sweep --subset --epochs 1 --table", "The system refused to read or write (File too large); make room "),
    ],
)
def test_a_full_disk_is_told_in_a_whole_sentence(limit, words, sentence, tmp_path):
    """A limit on the size of files stands for the disk; a write that fails names no file of itself."""
    path = tmp_path / "run.csv"
    full = f"import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit})); "
    run = "from bnlib.__main__ import main; sys.exit(main(sys.argv[1:]))"
    status, _, err = python("-c", full + run, *words.split(), str(path))
    assert status == 1 and one_sentence(err) and err.startswith(sentence.format(path=path))
    assert list(tmp_path.iterdir()) == []


def test_workers_that_cannot_start_are_told_without_a_traceback(run, monkeypatch, tmp_path):
    (tmp_path / "torch.py").write_text("raise ImportError('no torch for workers')")
    monkeypatch.syspath_prepend(tmp_path)
    status, out, err = run("sweep", "--subset", "--norm", "none", "--path", "eager", "--device", "cpu")
    assert (status, out) == (1, "") and one_sentence(err) and "do not start: its process ended with status 1" in err


@pytest.mark.parametrize("path", ["compiled", "kernels"])
def test_without_a_compiler_a_run_is_eager_and_says_so(path):
    words = ("train", "--subset", "--epochs", "1", "--norm", "none", "--device", "cpu", "--path", path)
    status, out, err = python("-m", "bnlib", *words, env={"CXX": "/nowhere/c++"})
    assert status == 0 and "the steps ran: eager" in out
    assert one_sentence(err) and "C++ compiler" in err and err.endswith("The steps run eagerly instead.\n")


def test_lab_refuses_a_name_and_all(run):
    status, out, err = run("lab", "moving_statistics", "--all")
    assert (status, out) == (2, "") and "moving_statistics" in err and "--all" in err


def test_lab_without_a_name_lists_the_experiments(run):
    assert run("lab") == (0, f"experiments: {', '.join(bnlib.lab.EXPERIMENTS)}\n", "")


@pytest.mark.parametrize(
    ("words", "env", "usage"),
    [
        ((), {}, "usage: "),
        ((), {"LANG": "de_DE.UTF-8"}, "usage: "),
        ((), {"LANG": "zh_CN.UTF-8"}, "用法："),
        ((), {"LANG": "zh_CN.UTF-8", "LC_ALL": "C.UTF-8"}, "usage: "),
        ((), {"LANG": "en_US.UTF-8", "LC_MESSAGES": "zh_TW.UTF-8", "LC_ALL": ""}, "用法："),
        (("--lang", "zh"), {}, "用法："),
        (("--lang=en",), {"LANG": "zh_CN.UTF-8"}, "usage: "),
    ],
)
def test_alone_it_prints_its_help_in_the_language_asked_for(words, env, usage):
    status, out, err = python("-m", "bnlib", *words, env=env)
    assert (status, err) == (0, "") and out.startswith(usage)


def test_help_imports_nothing_heavy():
    status, out, err = python("-X", "importtime", "-m", "bnlib", "train", "--help")
    imported = {line.rpartition("|")[2].strip() for line in err.splitlines()}
    assert status == 0 and "argparse" in imported
    assert not {name.partition(".")[0] for name in imported} & {
        "torch",
        "pandas",
        "numpy",
        "matplotlib",
        "tqdm",
    }


@pytest.mark.parametrize(
    "words", [(), ("train",), ("evaluate",), ("predict",), ("export",), ("sweep",), ("data",), ("lab",)]
)
def test_chinese_help_has_no_english_left_and_fits_the_terminal(run, monkeypatch, words):
    monkeypatch.setenv("COLUMNS", "80")
    status, out, err = run(*words, "--help", "--lang", "zh")
    assert status == 0 and not re.search("usage|options|arguments|show|exit|default|:\n", out)
    for line in out.splitlines():
        assert sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line) <= 80, line


def test_the_help_of_a_sweep_tells_its_own_default_path(run):
    told = {words: " ".join(run(words, "--help")[1].split()) for words in ("train", "sweep")}
    assert "eager elsewhere (default: auto)" in told["train"]
    assert "(default: kernels on a CPU where a C++ compiler is present, else auto)" in told["sweep"]


def test_defaults_and_names_are_the_librarys():
    bnlib.set_language("en")
    args = command.parser().parse_args(["train"])
    fields = TrainConfig.__dataclass_fields__
    assert TrainConfig(**{name: getattr(args, name) for name in fields}) == TrainConfig()
    for norm in NORMS:
        assert re.search(rf"\b{norm}\b", bnlib.language.message("command.help_norm", default=""))


def test_a_terminal_without_chinese_gets_question_marks_rather_than_a_traceback():
    status, out, err = python("-m", "bnlib", "--lang", "zh", env={"PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"})
    assert (status, err) == (0, "") and "python -m bnlib" in out


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """Of a run of the command line, in a language and with options that the tests below take up again."""
    path = tmp_path_factory.mktemp("after") / "run.pt"
    events = path.parent / "events"
    words = ("train", "--subset", "--epochs", "1", "--threads", "1", "--score-every", "20", "--device", "cpu")
    status, out, err = python("-m", "bnlib", *words, "--checkpoint", str(path), "--tensorboard", str(events))
    assert (status, err) == (0, "") and "threads: 1\n" in out
    assert re.search(r"^step 20 \(epoch 1\): test accuracy by moving statistics 0\.\d{4}, recalibrated", out, re.M)
    assert [file.name[:20] for file in events.iterdir()] == ["events.out.tfevents."]
    return path


def test_a_run_is_taken_up_again_from_the_command_line(run, checkpoint, tmp_path):
    copy = tmp_path / "run.pt"
    copy.write_bytes(checkpoint.read_bytes())
    again = ("train", "--subset", "--score-every", "20", "--device", "cpu", "--checkpoint", str(copy))
    status, out, err = run(*again)
    assert status == 1 and one_sentence(err) and f"{copy} exists already; resume from it" in err
    status, out, err = run(*again, "--epochs", "2", "--resume")
    assert (status, err) == (0, "") and "threads: 1\n" in out
    assert [line[:7] for line in out.splitlines() if line.startswith("epoch")] == ["epoch 2"]
    assert f"The run goes on from {copy}, after 1 whole epochs and 0 steps.\n" in out
    status, out, err = run(*again, "--lr", "0.5", "--resume")
    assert status == 2 and one_sentence(err) and "lr was 1.0 and is now 0.5" in err


def test_evaluate_scores_by_three_kinds_of_statistics(run, checkpoint):
    status, out, err = run("evaluate", str(checkpoint), "--subset", "--device", "cpu")
    head, scores = out.splitlines()
    assert (status, err) == (0, "")
    assert head == "LeNet with normalization batch, scored on fashion-mnist-subset, 1,000 test images"
    shape = r"test accuracy by moving statistics 0\.\d{4}, recalibrated 0\.\d{4}, batch 0\.\d{4}"
    assert re.fullmatch(shape, scores)
    status, out, err = run("evaluate", str(checkpoint.parent / "none.pt"))
    assert (status, out) == (1, "") and one_sentence(err) and "There is no checkpoint" in err


def test_predict_tells_what_each_image_is_and_at_the_end_what_is_none(run, checkpoint, tmp_path):
    paths = [tmp_path / name for name in ("shoe.png", "notes.txt", "bag.gif", "gone.jpg")]
    for path, seed in ((paths[0], 1), (paths[2], 2)):
        noise = torch.rand(40, 50, generator=torch.Generator().manual_seed(seed))
        Image.fromarray((noise * 255).byte().numpy()).save(path)
    paths[1].write_text("no image")
    status, out, err = run("predict", str(checkpoint), *map(str, paths))
    lines, failures = out.splitlines(), err.splitlines()
    assert len(lines) == 4 and lines[0].startswith(f"{paths[0]}: 50 × 40, ") and lines[1].count(" %") == 3
    assert lines[2].startswith(f"{paths[2]}: 50 × 40, ")
    assert status == 1 and failures[0].startswith(f"{paths[1]} is no image; expected PNG")
    assert failures[1:] == [f"There is no file {paths[3]}; expected an image file, such as shoe.jpg."]
    status, out, _ = run("predict", "--lang", "zh", str(checkpoint), str(paths[0]))
    assert status == 0 and re.search("(T恤|裤子|套头衫|连衣裙|外套|凉鞋|衬衫|运动鞋|包|短靴)", out)


@pytest.mark.parametrize("name", ["lenet.onnx", "lenet.pt2"])
def test_export_writes_a_file_and_says_that_it_was_compared(run, checkpoint, tmp_path, name):
    status, out, err = run("export", str(checkpoint), str(tmp_path / name))
    written, folded, verified = out.splitlines()
    assert (status, err) == (0, "") and written.startswith(f"{tmp_path / name}: ") and (tmp_path / name).exists()
    assert folded.startswith("folded: norm1 into conv1") and verified.startswith("loaded again and compared")
    status, out, err = run("export", str(checkpoint), str(tmp_path / "lenet.h5"))
    assert status == 2 and one_sentence(err) and "expected a name that ends in one of: .onnx, .pt2" in err


def test_sweep_prints_where_each_run_ended_and_writes_the_table(run, tmp_path):
    table, folder = tmp_path / "table.csv", tmp_path / "runs"
    words = ("sweep", "--subset", "--norm", "none", "batch", "--lr", "1", "1e30", "--epochs", "1", "--device", "cpu")
    status, out, err = run(*words, "--folder", str(folder), "--table", str(table), "--path", "eager")
    assert (status, err) == (0, "")
    head, *runs, written = out.splitlines()
    assert head.split()[:4] == ["norm", "epochs", "lr", "path_asked"] and len(runs) == 4
    assert runs[0].endswith(" -") and not runs[1].endswith(" -") and "NA" not in out
    assert written == f"written: {table}" and len(list(folder.iterdir())) == 4
    with table.open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["norm"], row["lr"]) for row in rows] == [
        ("none", "1.0"), ("none", "1e+30"), ("batch", "1.0"), ("batch", "1e+30")
    ]  # fmt: skip
    assert rows[1]["diverged_step"] and not rows[2]["diverged_step"]


@pytest.mark.filterwarnings("default")
def test_a_sweep_of_which_nothing_is_left_prints_no_table(run, monkeypatch):
    monkeypatch.setattr(sys.modules["bnlib.training.sweep"], "_check_all", lambda *_: None)  # refused by the run alone
    words = ("sweep", "--subset", "--norm", "none", "--score-every", "2", "--path", "eager", "--device", "cpu")
    status, out, err = run(*words)
    assert (status, out) == (1, "") and "1 of the runs failed" in err and "Traceback" not in err

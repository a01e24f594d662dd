"""predict: the model's own logits in words, and the model left as it was."""

import pytest
import torch
from PIL import Image
from torch import nn

import bnlib
from bnlib.training import LeNet, TrainConfig, fashion_mnist, train
from bnlib.training.lenet import NORMS
from bnlib.training.prediction import Prediction, predict, read_image

LOGITS = torch.tensor([[0.0, -9, -9, -9, -9, 1, -9, 2, -9, 6]])


@pytest.fixture(scope="module")
def data():
    return fashion_mnist(subset=True)


@pytest.fixture(scope="module")
def trained(data):
    torch.manual_seed(0)
    model = LeNet()
    train(model, data, TrainConfig(epochs=2, batch_size=64), device="cpu", progress=False)
    return model


@pytest.fixture
def chinese():
    bnlib.set_language("zh")
    yield
    bnlib.set_language("en")


class Says(nn.Module):
    """Answers every image with the same logits."""

    def __init__(self, logits):
        super().__init__()
        self.logits = nn.Parameter(logits)

    def forward(self, images):
        return self.logits.expand(len(images), -1)


@pytest.mark.parametrize("norm", NORMS)
def test_probabilities_are_the_softmax_of_the_logits_in_prediction_mode(norm, data):
    torch.manual_seed(0)
    model = LeNet(norm)
    model(data.train_images[:50])  # moving statistics unlike the batch's
    predictions = predict(model, data.test_images[:5])
    with torch.no_grad():
        expected = model.eval()(data.test_images[:5]).softmax(1)
    assert torch.equal(torch.stack([p.probabilities for p in predictions]), expected)
    assert [p.label for p in predictions] == expected.argmax(1).tolist()
    assert not predictions[0].probabilities.requires_grad


def test_as_many_as_asked_for_in_their_order(trained, data):
    images = data.test_images.repeat(3, 1, 1, 1)[:2500]  # more than one batch
    labels = [p.label for p in predict(trained, images)]
    with torch.no_grad():
        assert labels == trained(images).argmax(1).tolist()
    assert predict(trained, images[:0]) == ()


def test_it_recognizes_what_it_learned_from_a_file_as_from_the_data(trained, data, tmp_path):
    right = 0
    for image, label in zip(data.test_images[:50], data.test_labels[:50].tolist(), strict=True):
        Image.fromarray((image[0] * 255).round().byte().numpy()).save(tmp_path / "image.png")
        (of_file,), (of_data,) = predict(trained, read_image(tmp_path / "image.png")), predict(trained, image[None])
        assert torch.equal(of_file.probabilities, of_data.probabilities)
        right += of_file.label == label
    assert right >= 25


def test_a_photo_on_white_is_recognized_about_as_well(trained, data, tmp_path):
    right = {"data": 0, "photo": 0}
    for image, label in zip(data.test_images[:100], data.test_labels[:100].tolist(), strict=True):
        garment = Image.fromarray(255 - (image[0] * 255).round().byte().numpy())
        photo = Image.new("L", (480, 640), "white")
        photo.paste(garment.resize((300, 300), Image.Resampling.BICUBIC), (60, 200))
        photo.convert("RGB").save(tmp_path / "photo.jpg", quality=85)
        right["photo"] += predict(trained, read_image(tmp_path / "photo.jpg"))[0].label == label
        right["data"] += predict(trained, image[None])[0].label == label
    assert right["photo"] >= right["data"] - 12 and right["data"] > 50


def test_modes_weights_and_gradients_stay_as_they_were(data):
    model = LeNet().train()
    model.norm2.eval()
    modes = [module.training for module in model.modules()]
    before = {name: value.clone() for name, value in model.state_dict().items()}
    predict(model, data.test_images[:3])
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None and parameter.requires_grad for parameter in model.parameters())


def test_modes_are_restored_when_the_model_fails():
    model = nn.Sequential(nn.Flatten(), nn.Linear(10, 10), nn.Dropout()).train()
    with pytest.raises(RuntimeError, match="cannot be multiplied"):
        predict(model, torch.rand(1, 1, 28, 28))
    assert all(module.training for module in model.modules())


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_a_model_of_another_precision(dtype, trained, data):
    other = LeNet().to(dtype)
    other.load_state_dict(trained.state_dict())
    for got, expected in zip(predict(other, data.test_images[:9]), predict(trained, data.test_images[:9]), strict=True):
        assert got.probabilities.dtype == torch.float32
        torch.testing.assert_close(got.probabilities, expected.probabilities, atol=0.03, rtol=0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU: a model on CUDA takes images from the CPU")
def test_on_the_models_device(trained, data):
    model = LeNet().cuda()
    model.load_state_dict(trained.state_dict())
    prediction = predict(model, data.test_images[:1])[0]
    assert prediction.probabilities.device.type == "cpu" and next(model.parameters()).is_cuda


def test_words():
    (prediction,) = predict(Says(LOGITS), torch.zeros(1, 1, 28, 28))
    assert str(prediction) == "ankle boot 97.3 %, sneaker 1.8 %, sandal 0.7 %"
    assert (prediction.label, prediction.name) == (9, "ankle boot")


def test_words_in_chinese_also_for_what_was_predicted_before(chinese):
    bnlib.set_language("en")
    (prediction,) = predict(Says(LOGITS), torch.zeros(1, 1, 28, 28))
    bnlib.set_language("zh")
    assert str(prediction) == "短靴97.3%，运动鞋1.8%，凉鞋0.7%" and prediction.name == "短靴"


def test_other_classes_than_the_data_sets_have_numbers():
    assert str(Prediction(1, torch.tensor([0.25, 0.75]))) == "class 1 75.0 %, class 0 25.0 %"


def test_wrong_images_are_refused(trained):
    with pytest.raises(TypeError, match="torch.uint8; expected floating-point numbers in .0, 1.: divide bytes by 255"):
        predict(trained, torch.zeros(1, 1, 28, 28, dtype=torch.uint8))
    for shape in ((28, 28), (1, 28, 28), (2, 3, 28, 28), (1, 1, 32, 32)):
        with pytest.raises(ValueError, match="expected images .N, 1, 28, 28., as read_image gives them"):
            predict(trained, torch.zeros(shape))

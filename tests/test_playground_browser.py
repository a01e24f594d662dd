"""Widget 8 in the built page: run, pause, step, reset, by mouse, finger and keyboard; its numbers; its frames."""

import json
import re
import statistics
from urllib.parse import quote

import pytest
from browser_fixtures import LANGUAGES, draw_widgets, tap

from bnlib.learn import Playground

PAGES = {language: f"chapters/{language}/01_motivation.html" for language in LANGUAGES}
# the engine's own answer, without any page around it
ANSWER = """({ setting, steps }) => {
  const known = points(setting), next = batches(known, setting);
  const nets = [false, true].map((normalized) => network(setting, normalized));
  let losses;
  for (let t = 0; t < steps; t++) {
    const batch = next();
    losses = nets.map((net) => train(net, batch, setting.lr));
  }
  const right = (net) => forward(net, known.x).filter((logit, i) => logit > 0 === known.y[i] > 0).length;
  return nets.map((net, a) => ({ loss: losses[a], right: right(net), norms: net.layers.map(({ norm }) => norm) }));
}"""
# each frame's work, and when it began; nothing in the page measures itself
CLOCK = """
window.frames_seen = [];
const plain = window.requestAnimationFrame.bind(window);
window.requestAnimationFrame = (work) => plain((now) => {
  const before = document.querySelector(".bnlib-playground .numbers")?.textContent, start = performance.now();
  work(now);
  const took = performance.now() - start;
  if (document.querySelector(".bnlib-playground .numbers")?.textContent !== before) frames_seen.push([now, took]);
});
"""
DRAWN = "() => document.querySelectorAll('.bnlib-playground path.bars').length > 0"


@pytest.fixture(params=["served_book", "file_book"])
def book(request) -> str:
    return request.getfixturevalue(request.param)


def at(book: str, language: str = "en", **setting) -> str:
    return f"{book}/{PAGES[language]}?playground={quote(json.dumps(setting))}"


def parts(page):
    root = page.locator(".bnlib-playground")
    root.scroll_into_view_if_needed()
    run, step = (root.locator(".scene button").nth(i) for i in range(2))
    return root, run, step


def steps_told(root) -> int:
    found = re.search(r"\d+", root.locator(".readout").text_content())
    return int(found[0]) if found else 0


def scores(root) -> list[tuple[str, str]]:
    """Loss and accuracy of both networks, as the page writes them."""
    return [tuple(re.findall(r"\d\.\d{3}", score.text_content())) for score in root.locator(".arms .numbers").all()]


def assert_page_says(root, answer: list[dict]) -> None:
    for told, truth in zip(scores(root), answer, strict=True):
        assert told == (f"{truth['loss']:.3f}", f"{truth['right'] / 256:.3f}")
    lines = root.locator(".numbers").last.text_content().splitlines()[1:]
    for line, truth in zip(lines, answer, strict=True):
        assert [float(norm) for norm in re.findall(r"\de[-+]\d+", line)] == pytest.approx(
            [float(f"{norm:.0e}") for norm in truth["norms"]]
        )


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_pages_numbers_are_the_engines(book, open_page, module_page, language):
    page, troubles = open_page(f"{book}/{PAGES[language]}")
    root, _, step = parts(page)
    setting = json.loads(page.locator(".bnlib-widget[data-widget=playground]").get_attribute("data-state"))
    for _ in range(50):
        step.click()
    assert steps_told(root) == 50
    # up to 100 steps each batch is a point of the curve, so the loss that is told is the last one's
    assert_page_says(root, module_page("playground").evaluate(ANSWER, {"setting": setting, "steps": 50}))
    assert troubles == []


def test_nothing_runs_before_it_is_asked(served_book, open_page):
    page, troubles = open_page(at(served_book, running=True, steps=100))
    root, run, _ = parts(page)
    page.wait_for_timeout(700)
    assert run.text_content() == "Run" and "Nothing is trained yet" in root.locator(".readout").text_content()
    assert root.locator(".scene path.bars").count() == 0
    assert troubles == []


def test_run_pause_go_on_and_end(served_book, open_page, module_page):
    page, troubles = open_page(at(served_book, steps=300))
    root, run, _ = parts(page)
    readout = root.locator(".readout")
    run.click()
    assert run.text_content() == "Pause"
    page.wait_for_function(DRAWN)
    assert "Nothing is trained yet" in readout.text_content()  # a reader of the screen is not told each frame
    run.click()
    first = steps_told(root)
    page.wait_for_timeout(700)
    assert run.text_content() == "Run" and 0 < steps_told(root) == first < 300
    run.click()
    page.wait_for_function("() => /Step 300/.test(document.querySelector('.bnlib-playground .readout').textContent)")
    assert run.text_content() == "Run"
    setting = json.loads(page.locator(".bnlib-widget[data-widget=playground]").get_attribute("data-state"))
    answer = module_page("playground").evaluate(ANSWER, {"setting": setting, "steps": 300})
    assert [told[1] for told in scores(root)] == [f"{truth['right'] / 256:.3f}" for truth in answer]
    run.click()  # from the start again
    run.click()
    assert steps_told(root) < 300
    root.locator(".reset").click()
    assert "Nothing is trained yet" in readout.text_content() and root.locator(".scene path.bars").count() == 0
    assert troubles == []


def test_it_stops_when_it_is_scrolled_away(served_book, open_page):
    page, troubles = open_page(at(served_book, steps=5000))
    root, run, _ = parts(page)
    run.click()
    page.wait_for_function(DRAWN)
    page.evaluate("window.scrollTo(0, 0)")
    page.wait_for_function("() => document.querySelector('.bnlib-playground .scene button').textContent === 'Run'")
    stopped = steps_told(root)
    page.wait_for_timeout(700)
    assert 0 < steps_told(root) == stopped < 5000
    assert troubles == []


def test_a_change_of_setting_stops_and_begins_anew(served_book, open_page):
    page, troubles = open_page(at(served_book))
    root, run, step = parts(page)
    run.click()
    root.locator("select[data-trait=activation]").select_option("1")
    assert run.text_content() == "Run" and "Nothing is trained yet" in root.locator(".readout").text_content()
    root.locator("input[data-trait=depth]").press("Home")
    step.click()
    assert root.locator(".arms .none path.bars").count() == 2
    page.locator(".bnlib-widget[data-widget=playground] .bnlib-widget-link").click()
    again, more = open_page(page.url)
    assert again.locator("input[data-trait=depth]").input_value() == "1"
    assert again.locator("select[data-trait=activation] option:checked").text_content() == "tanh"
    assert troubles == [] and more == []


def test_keyboard_alone(served_book, open_page):
    page, troubles = open_page(at(served_book))
    root, run, step = parts(page)
    run.focus()
    page.keyboard.press("Tab")
    assert step.evaluate("node => node === document.activeElement")
    for _ in range(3):
        page.keyboard.press("Enter")
    assert steps_told(root) == 3
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Space")
    assert run.text_content() == "Pause" and run.evaluate("node => node === document.activeElement")
    page.keyboard.press("Space")
    assert run.text_content() == "Run" and steps_told(root) >= 3
    assert troubles == []


def test_finger_on_a_phone_in_the_dark(served_book, open_page):
    page, troubles = open_page(f"{served_book}/{PAGES['zh']}", width=390, dark=True, has_touch=True)
    root, run, _ = parts(page)
    tap(run)
    page.wait_for_function("() => document.querySelectorAll('.bnlib-playground path.bars').length === 18")
    tap(run)
    assert run.text_content() == "运行" and steps_told(root) > 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    box = root.locator(".arms canvas").first.bounding_box()
    assert box["width"] == pytest.approx(box["height"], abs=1) and box["width"] > 100
    assert troubles == []


def test_what_diverges_says_so_and_stays(served_book, open_page):
    page, troubles = open_page(at(served_book, activation="relu", initialization="large", lr=10, width=32))
    root, _, step = parts(page)
    for _ in range(5):
        step.click()
    assert "without batch normalization · diverged" in root.locator(".readout").text_content()
    assert len(scores(root)[1]) == 2  # the other one goes on
    assert troubles == []


def watched_run(chromium, address: str, frames: int, motion: str) -> tuple[list[float], list[float], int]:
    """Milliseconds between the frames of a run, those of work in each, and the steps that were done."""
    context = chromium.new_context(viewport={"width": 1280, "height": 1000}, reduced_motion=motion)
    page = context.new_page()
    page.add_init_script(CLOCK)
    page.goto(address)
    draw_widgets(page)
    root, run, _ = parts(page)
    run.click()
    page.wait_for_function("count => frames_seen.length >= count", arg=frames, timeout=60_000)
    run.click()
    began, took = zip(*page.evaluate("frames_seen"), strict=True)
    steps = steps_told(root)
    context.close()
    return [later - earlier for earlier, later in zip(began, began[1:], strict=False)], list(took), steps


def test_30_frames_a_second(served_book, chromium):
    """The work for a frame fits three times; the median, for a neighbour may now and then take the processor.

    Measured on 2 cores of an AMD EPYC, without a graphics card: 30 frames a second, 6 ms of work in each. (The most
    that can be set, 32 units and batches of 256, makes 18 beside other work: one step in each frame takes about 20 ms.)
    """
    pauses, took, _ = watched_run(chromium, at(served_book, steps=5000), 60, "no-preference")
    print(f"{1000 / statistics.mean(pauses):.1f} frames a second, {statistics.median(took):.1f} ms of work in each")
    assert statistics.median(took) < 33 / 3
    assert statistics.quantiles(pauses)[0] <= 34.5  # where no neighbour takes the processor


def test_for_those_who_want_less_motion_it_draws_twice_a_second(served_book, chromium):
    pauses, took, steps = watched_run(chromium, at(served_book, steps=5000), 4, "reduce")
    print(f"{statistics.mean(pauses):.0f} ms between frames, {statistics.median(took):.0f} ms of work, {steps} steps")
    assert min(pauses) >= 490
    assert max(took) < 490  # so that the page answers in between
    assert steps >= 60


# a host that holds the state, as course-widgets.js and a kernel's page do
HOST = """
window.host = (state) => ({
  state, heard: {}, get: (name) => state[name], save_changes() {},
  set(name, value) { state[name] = value; for (const one of this.heard[`change:${name}`] ?? []) one(); },
  on(event, listener) { (this.heard[event] ??= []).push(listener); },
  off(event, listener) { this.heard[event] = (this.heard[event] ?? []).filter((one) => one !== listener); },
});
window.place = () => document.body.appendChild(document.createElement("div"));
window.wait = (ms) => new Promise((done) => setTimeout(done, ms));
"""


@pytest.fixture
def playground(module_page):
    """A page with the module alone, and the state of a widget as its host gives it."""
    page, widget = module_page("playground"), Playground(steps=5000)
    page.evaluate(HOST)
    names = [*widget.limits, "lang", "strings", "limits", "running", "step", "losses", "accuracies"]
    return page, {name: getattr(widget, name) for name in names}


def test_a_second_view_leaves_alone_what_the_first_has_told(playground):
    page, state = playground
    told = """async (state) => {
      const model = host(state), first = place(), second = place();
      const close = [widget.render({ model, el: first })];
      for (let i = 0; i < 3; i++) [...first.querySelectorAll(".scene button")][1].click();
      const before = [state.step, state.losses.batch.length];
      close.push(widget.render({ model, el: second }));
      await wait(100);
      close.forEach((one) => one());
      return [before, [state.step, state.losses.batch.length]];
    }"""
    assert page.evaluate(told, state) == [[3, 3], [3, 3]]


def test_a_view_that_is_closed_trains_no_more(playground):
    page, state = playground
    watched = """async (state) => {
      let asked = 0;
      const plain = window.requestAnimationFrame;
      window.requestAnimationFrame = (work) => { asked++; return plain.call(window, work); };
      const model = host(state), close = widget.render({ model, el: place() });
      model.set("running", true);
      await wait(300);
      const running = asked;
      close();
      await wait(100);
      const closed = asked;
      await wait(300);
      window.requestAnimationFrame = plain;
      return [running, asked - closed, Object.values(model.heard).flat().length];
    }"""
    running, after, listeners = page.evaluate(watched, state)
    assert running > 3 and after == 0 and listeners == 0

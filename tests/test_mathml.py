"""TeX becomes MathML that says what is meant; what can't be converted is refused in a sentence."""

import sys
from xml.etree.ElementTree import Element

import pytest
from browser_fixtures import ROOT

sys.path.insert(0, str(ROOT / "book"))

from bilingual import symbols  # noqa: E402
from bilingual.mathml import TexError, convert  # noqa: E402


def outline(element: Element) -> str:
    """The tree as names and texts: mfrac(mi:a mn:2)."""
    inside = element.text or " ".join(outline(child) for child in element)
    return f"{element.tag}:{inside}" if element.text else f"{element.tag}({inside})" if len(element) else element.tag


@pytest.mark.parametrize(
    ("tex", "wanted"),
    [
        ("x_i^2", "msubsup(mi:x mi:i mn:2)"),
        (r"\hat x_i", "msub(mover(mi:x mo:ˆ) mi:i)"),
        (r"\frac12 a", "mfrac(mn:1 mn:2) mi:a"),  # a command takes one digit
        ("0.9^t", "msup(mn:0.9 mi:t)"),  # an exponent belongs to the whole number
        ("65536.", "mn:65536 mo:."),
        ("(a+b)^2", "msup(mrow(mo:( mrow(mi:a mo:+ mi:b) mo:)) mn:2)"),  # and to the whole bracket
        (r"\|W\|^2", "msup(mrow(mo:‖ mi:W mo:‖) mn:2)"),
        (r"|\gamma|", "mrow(mo:| mi:γ mo:|)"),
        (r"\mathrm{BN}(x)", "mi:BN mo:\u2061 mrow(mo:( mi:x mo:))"),
        (r"\mathrm dx", "mi:d mi:x"),
        (r"\ln 2", "mi:ln mo:\u2061 mspace mn:2"),
        (r"\sum_{i=1}^m x", "msubsup(mo:∑ mrow(mi:i mo:= mn:1) mi:m) mi:x"),
        (r"\max_i x", "msub(mi:max mi:i) mo:\u2061 mspace mi:x"),
        (r"\sqrt[3]x", "mroot(mi:x mn:3)"),
        (r"\sqrt v", "msqrt(mi:v mspace)"),  # high enough for the sign
        (r"\sqrt{v^2}", "msqrt(msup(mi:v mn:2))"),
        (r"\mathbf 1", "mn:𝟏"),
        (r"\boldsymbol\gamma", "mi:𝜸"),
        (r"\mathbb{R}^n", "msup(mi:ℝ mi:n)"),
        (r"\left(\frac ab\right.", "mrow(mo:( mfrac(mi:a mi:b))"),
        (r"\text{or else}", "mtext:or\u00a0else"),
        (r"a &= b \\ c &= d \\", "mtable(mtr(mtd(mi:a) mtd(mo:= mi:b)) mtr(mtd(mi:c) mtd(mo:= mi:d)))"),
        (r"\begin{cases} 1 & x \\ 0 \end{cases}", "mrow(mo:{ mtable(mtr(mtd(mn:1) mtd(mi:x)) mtr(mtd(mn:0))))"),
    ],
)
def test_a_formula_has_the_structure_of_its_meaning(tex, wanted):
    assert " ".join(outline(child) for child in convert(tex)) == wanted


@pytest.mark.parametrize(
    ("tex", "wanted"),
    [
        (r"\sum_j x", ["munder"]),
        (r"r\left(\sum_j x\right)", ["munder"]),
        (r"\sum_{i=1}^m x", ["munderover"]),
        (r"\frac{\sum_j x}{m}", ["msub"]),  # there is no room
    ],
)
def test_the_limits_of_a_sum_stand_below_it_in_a_display(tex, wanted):
    assert [part.tag for part in convert(tex, display=True).iter() if len(part) and part[0].text == "∑"] == wanted
    assert not [part for part in convert(tex).iter() if part.tag.startswith("munder")]


@pytest.mark.parametrize(
    ("tex", "prefixes"),
    [("-x", 1), ("a-b", 0), ("a=-b", 1), ("(-a)-b", 1), (r"a\,-b", 0), (r"x=\pm\frac12", 1), ("10^{-5}", 1)],
)
def test_a_sign_without_a_left_operand_is_a_prefix(tex, prefixes):
    signs = [sign for sign in convert(tex).iter("mo") if sign.text in "−±"]
    assert len([sign for sign in signs if sign.get("form") == "prefix"]) == prefixes


@pytest.mark.parametrize(
    ("tex", "said"),
    [
        (r"\foo x", r"\\foo is not known"),
        (r"\frac{a}{b", "2 opening and 1 closing braces"),
        (r"\frac a", "mfrac has 1 parts; expected 2"),
        ("(a", r"\( has no partner"),
        ("a)", r"\) comes without its partner"),
        ("a|b", r"\| has no partner"),
        ("均值", "均 stands where a symbol was expected"),
        ("x_1_2", "DoubleSubscripts"),
        (r"\begin{cases}a\end{matrix}", "MissingEnd"),
        (r"\left x", "NoAvailableTokens"),
        (r"\mathbb{α}", "no double-struck α"),
        ("  ", "it is empty"),
    ],
)
def test_what_cannot_be_converted_is_refused_by_name(tex, said):
    with pytest.raises(TexError, match=said):
        convert(tex)


@pytest.mark.parametrize(
    ("page", "tex", "meanings"),
    [
        ("02_formulas", r"m = H\cdot W", ["number of values", "height", "width"]),
        ("02_formulas", "Wu", ["weights", "input of the layer whose"]),
        ("02_formulas", r"N\cdot L", ["batch size", "length of the input"]),
        ("02_formulas", r"\partial L/\partial x_i", ["loss", "one of the m input"]),
        ("02_formulas", r"\mu_B", ["mean over the batch"]),
        ("02_formulas", r"\mu", ["moving average"]),
        ("02_formulas", r"\sigma^2", ["moving average"]),
        ("03_implementation", r"\sigma^2", ["population"]),
        ("02_formulas", "Wx+b", ["weights", "input of the layer before BN", "bias"]),
        ("02_formulas", "dx", []),
        ("04_lenet", "a", []),
    ],
)
def test_a_letter_means_what_it_means_there(page, tex, meanings):
    found = symbols.mark(f"chapters/en/{page}", convert(tex))
    assert len(found) == len(meanings)
    assert all(wanted in symbol.said["en"] for symbol, wanted in zip(found, meanings, strict=True))

"""Make book/fonts/course-math.woff2: what the book's formulas need of STIX Two Math, and no more.

    pip install fonttools brotli
    python tools/make_math_font.py STIXTwoMath-Regular.ttf

The font comes from https://github.com/stipub/stixfonts (version 2.11 was used; PyPI's package ziamath holds it too),
and its licence lies beside the result. Kept are the characters that formulas are made of, the letters that a browser
puts in their place (an italic 𝑥 for x), and the larger forms of brackets, roots and sums.
"""

import sys
import unicodedata
from pathlib import Path

from fontTools import subset

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "book" / "fonts" / "course-math.woff2"

_RANGES = (
    (0x20, 0x7E),  # names of functions, digits, signs
    (0x391, 0x3A9),
    (0x3B1, 0x3C9),
    (0x1D434, 0x1D467),  # italic, what a browser shows for x
    (0x1D6E2, 0x1D71B),  # italic Greek
)
_SMALL = ((0x30, 0x39), (0x1D434, 0x1D467), (0x1D6FC, 0x1D71B))  # have forms of their own as a script: 𝑖 in 𝑥ᵢ
_SMALL_SIGNS = "+−=,′ℎ"
_SIGNS = (
    "±∓×⋅·∗⋆∘÷⊙⊕⊗∩∪∖∧∨¬∀∃≤≥≠≪≫≈∼≃≅≡∝∈∉∋⊂⊆⊃⟂∥∣→←↔⇒⇐⇔↦⟶↑↓−…⋯⋮⋱∑∏⋃⋂∫∬∮⟨⟩⌊⌋⌈⌉‖∂ℓ∇∞∅⊤ℏℎ√′″⏞⏟"
    "ˆ˜¯˙¨ˇ˘‾\u0302\u0303\u00a0\u2009\u2061ϵϑϕℬℰℱℋℐℒℳℛℂℍℕℙℚℝℤ"
)
_ALPHABETS = (
    (0x1D400, 0x1D433),  # bold
    (0x1D468, 0x1D49B),  # bold italic
    (0x1D49C, 0x1D4B5),  # script capitals
    (0x1D538, 0x1D550),  # double-struck capitals
    (0x1D6C2, 0x1D6DA),  # bold Greek
    (0x1D736, 0x1D74E),  # bold italic Greek
    (0x1D7CE, 0x1D7D7),  # bold digits
)


def characters() -> set[int]:
    """The code points that formulas can hold."""
    ranges = {code for low, high in (*_RANGES, *_ALPHABETS) for code in range(low, high + 1)}
    return {code for code in ranges | set(map(ord, _SIGNS)) if unicodedata.category(chr(code)) != "Cn"}


def keep_small_forms(font) -> None:
    """Drop the script forms of all glyphs but the commonest: they would double the file."""
    cmap = font.getBestCmap()
    codes = [*map(ord, _SMALL_SIGNS), *(code for low, high in _SMALL for code in range(low, high + 1))]
    kept = {cmap[code] for code in codes if code in cmap}
    gsub = font["GSUB"].table
    records = [record for record in gsub.FeatureList.FeatureRecord if record.FeatureTag == "ssty"]
    indices = {index for record in records for index in record.Feature.LookupListIndex}
    for table in (table for i in indices for table in gsub.LookupList.Lookup[i].SubTable):
        table = getattr(table, "ExtSubTable", table)
        name = "alternates" if hasattr(table, "alternates") else "mapping"
        setattr(table, name, {glyph: forms for glyph, forms in getattr(table, name).items() if glyph in kept})


def level_roots(font) -> None:
    """Make the taller signs of the root as wide as the shortest: Chromium leaves room for the widest of them all."""
    variants, glyphs, widths = font["MATH"].table.MathVariants, font["glyf"], font["hmtx"].metrics
    root = font.getBestCmap()[ord("√")]
    forms = variants.VertGlyphConstruction[variants.VertGlyphCoverage.glyphs.index(root)]
    taller = [record.VariantGlyph for record in forms.MathGlyphVariantRecord]
    taller += [part.glyph for part in forms.GlyphAssembly.PartRecords]
    for name in set(taller) - {root}:
        glyphs[name].coordinates.scale((widths[root][0] / widths[name][0], 1))
        glyphs[name].coordinates.toInt()
        glyphs[name].recalcBounds(glyphs)
        widths[name] = (widths[root][0], glyphs[name].xMin)


def main(source: str) -> None:
    options = subset.Options(
        flavor="woff2",
        layout_features=["ssty"],  # script sizes, dotless letters below accents
        hinting=False,
        desubroutinize=True,
        notdef_outline=True,
        name_IDs=[0, 1, 2, 4, 5, 6, 13, 14],
        drop_tables=["DSIG", "GPOS"],
    )
    font = subset.load_font(source, options)
    missing = sorted(characters() - set(font.getBestCmap()) - {0x2009, 0x2061})
    keep_small_forms(font)
    level_roots(font)
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=characters())
    subsetter.subset(font)
    subset.save_font(font, str(TARGET), options)
    print(f"{TARGET.relative_to(ROOT)}: {TARGET.stat().st_size} bytes, {len(font.getGlyphOrder())} glyphs")
    if missing:
        print("the font lacks:", " ".join(f"U+{code:04X}" for code in missing))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])

"""The laboratory: experiments as functions that return tables, their recorded results, figures drawn from tables.

An experiment is a module here with a frozen `Config`, `FULL` and `QUICK` instances of it, and
`measure(data, config) -> pandas.DataFrame`. Its recorded result is results/NAME.csv beside NAME.json, which says how
it was measured. `python -m bnlib lab NAME` measures it again.
"""

from bnlib.lab.record import EXPERIMENTS, load, provenance, run

__all__ = ["EXPERIMENTS", "load", "provenance", "run"]

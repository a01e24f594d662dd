"""The laboratory: experiments as functions that return tables, their recorded results, figures drawn from tables.

An experiment is a module here with a frozen `Config`, `FULL` and `QUICK` instances of it, `parts(config)`, which lists
the pieces that can be measured independently of each other, and `measure(part, data, config)`, which measures one of
them and returns its rows. Its recorded result is results/NAME.csv beside NAME.json, which says how it was measured.
`python -m bnlib lab NAME` measures it again, the parts side by side in processes.
"""

from bnlib.lab.record import EXPERIMENTS, load, measure, provenance, run, run_all

__all__ = ["EXPERIMENTS", "load", "measure", "provenance", "run", "run_all"]

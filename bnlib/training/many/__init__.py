"""What a sweep is made of: the grid, one run of it, its file in a folder, and the processes that carry runs out.

`bnlib.training.sweep` puts the parts together.
"""

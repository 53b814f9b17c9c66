"""The lab's tests and tools: one package, found from the root of the tree.

    python3 -m tests.compare.compare list
    from tests import harness

Nothing else says where it lies: `python3 -m` looks where it was started, and pytest where the
outermost `__init__.py` is, this one. Standard library only, but where a page or a plot is drawn.
"""

"""What happens to a picture: scan, detect, label, judge, review, certify, release, round.

What a command of `dataengine` does is a function here, of the same request: docs/python.md. The
names are listed in `__init__.pyi` and loaded when they are used: to import this costs nothing.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

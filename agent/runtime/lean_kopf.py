"""Import kopf the way it comes on a machine without other Kubernetes clients.

kopf imports the `kubernetes` package, when there is one, only to recognise its model classes in functions that are not
used here; that would cost 20 MB. While kopf is imported, the package is therefore out of sight; afterwards
`sys.modules` is as it was. Nobody else in the process imports that package by its name (see `agent.kube`).
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

_HIDDEN = ("kubernetes", "kubernetes_asyncio", "pykube")

if TYPE_CHECKING:
    import kopf
else:
    _before = {name: sys.modules.pop(name) for name in _HIDDEN if name in sys.modules}
    sys.modules.update(dict.fromkeys(_HIDDEN))
    try:
        import kopf
    finally:
        for _name in _HIDDEN:
            del sys.modules[_name]
        sys.modules.update(_before)

__all__ = ["kopf"]

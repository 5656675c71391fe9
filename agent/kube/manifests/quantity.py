"""Resource quantities such as `100m` or `1Gi`, read exactly."""

from __future__ import annotations

import re
from fractions import Fraction

_QUANTITY = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))(?:([numkMGTPE]|[KMGTPE]i)|[eE]([+-]?[0-9]{1,3}))?")
_DECIMAL = {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}


def parse_quantity(text: str) -> Fraction | None:
    """Return the value of a quantity, None for any other text."""
    match = _QUANTITY.fullmatch(text)
    if match is None or len(text) > 64:
        return None
    number, suffix, exponent = match.groups()
    base, power = (1024, _BINARY[suffix]) if suffix in _BINARY else (10, _DECIMAL.get(suffix, int(exponent or 0)))
    return Fraction(number) * (base**power if power >= 0 else Fraction(1, base**-power))

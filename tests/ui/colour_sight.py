"""Colours as those see them who have no receptors for medium wavelengths."""

import math

# What deuteranopia makes of red, green and blue light (Machado, Oliveira, Fernandes 2009, severity 1)
DEUTERANOPIA = ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881))
XYZ = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))
WHITE = (0.9505, 1.0, 1.089)


def difference(one: str, other: str) -> float:
    """How far apart two colours such as #4477aa are for them: the distance in CIE L*a*b*, of which 2.3 is just seen."""
    return math.dist(_lab(one), _lab(other))


def _lab(colour: str) -> tuple[float, float, float]:
    light = [_linear(int(colour[place : place + 2], 16) / 255) for place in (1, 3, 5)]
    seen = [min(1.0, max(0.0, part)) for part in _times(DEUTERANOPIA, light)]
    x, y, z = (_cube_root(part / white) for part, white in zip(_times(XYZ, seen), WHITE, strict=True))
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def _times(matrix: tuple[tuple[float, ...], ...], light: list[float]) -> list[float]:
    return [sum(factor * part for factor, part in zip(row, light, strict=True)) for row in matrix]


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4


def _cube_root(part: float) -> float:
    return float(part ** (1 / 3)) if part > 0.008856 else 7.787 * part + 16 / 116

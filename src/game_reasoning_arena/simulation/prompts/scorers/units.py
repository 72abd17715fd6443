"""Units of measurement, recognised and converted exactly."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit: the kind of quantity, and ``value * factor + offset`` in that kind's base unit."""

    kind: str
    factor: Fraction
    offset: Fraction = Fraction(0)


#: By kind, spellings with the factor to the base unit; the factor as exact text.
_KINDS: dict[str, dict[str, str]] = {
    "length": {
        "mm millimetre millimetres millimeter millimeters": "0.001",
        "cm centimetre centimetres centimeter centimeters": "0.01",
        "dm": "0.1",
        "m metre metres meter meters": "1",
        "km kilometre kilometres kilometer kilometers": "1000",
        'in inch inches "': "0.0254",
        "ft foot feet": "0.3048",
        "yd yard yards": "0.9144",
        "mi mile miles": "1609.344",
    },
    "area": {"cm^2 cm2 cm²": "0.0001", "m^2 m2 m² sqm": "1", "ha hectare hectares": "10000",
             "km^2 km2 km²": "1000000"},
    "volume": {"ml millilitre millilitres milliliter milliliters cm^3 cm3 cm³": "0.001",
               "cl": "0.01", "dl": "0.1", "l litre litres liter liters dm^3 dm3": "1",
               "m^3 m3 m³": "1000"},
    "mass": {"mg milligram milligrams": "0.000001", "g gram grams": "0.001",
             "kg kilogram kilograms kilo kilos": "1", "t tonne tonnes": "1000",
             "lb lbs pound pounds": "0.45359237", "oz ounce ounces": "0.028349523125"},
    "time": {"ms millisecond milliseconds": "0.001", "s sec secs second seconds": "1",
             "min mins minute minutes": "60", "h hr hrs hour hours": "3600",
             "d day days": "86400", "week weeks": "604800"},
    "speed": {"m/s": "1", "km/h kph kmh": "5/18", "mph": "0.44704"},
    "share": {"% percent pct per cent": "0.01", "": "1"},
    "dollar": {"$ usd dollar dollars": "1", "cent cents ¢": "0.01"},
    "euro": {"€ eur euro euros": "1"},
    "sterling": {"£ gbp": "1"},
    "angle": {"° deg degree degrees": "1", "rad radian radians": "57.29577951308232"},
}  # fmt: skip
_TEMPERATURES = {
    "k kelvin kelvins": (Fraction(1), Fraction(0)),
    "°c c celsius": (Fraction(1), Fraction("273.15")),
    "°f f fahrenheit": (Fraction(5, 9), Fraction("273.15") - Fraction(160, 9)),
}

_TABLE: dict[str, Unit] = {
    name: Unit(kind, Fraction(factor))
    for kind, units in _KINDS.items()
    for names, factor in units.items()
    for name in (names.split() if names != "% percent pct per cent" else ["%", "percent", "pct"])
}
_TABLE |= {
    name: Unit("temperature", factor, offset)
    for names, (factor, offset) in _TEMPERATURES.items()
    for name in names.split()
}


def unit_of(text: str) -> Unit | None:
    """Return the unit that a text in lower case names; None if it is unknown or empty."""
    return _TABLE.get(text.replace("\\", "").strip())

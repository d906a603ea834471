"""Numbers that keep the rule of each country, as python-stdnum 2 (which shares no code with us) says."""

from __future__ import annotations

VALID: dict[str, tuple[str, ...]] = {
    "dni": ("03649420X", "X9181696G"),
    "nir": ("277072A61340814", "179090191931233", "286092B52819666"),
    "china": ("110105194811082144", "11010519890404230X", "110105199810276417"),
    "citizen": ("90021023643", "53124564392", "8121766761", "965090048", "83026548413", "79040687847"),
    "cpf": ("445.696.971-78", "245.196.828-19", "233.363.623-85"),
    "nordic": ("670616-2119", "940407-8249", "880722-4640"),
    "ean": ("756.0851.9431.76", "756.6105.9890.51", "756.4013.5695.25"),
    "verhoeff": ("619291305462", "784059730146", "877777062936"),
    "steuer": ("71253458950", "82964388512", "65174039894"),
    "codice": ("RSSMRA72S28H501A", "RSSMRA23B22H501P", "RSSMRA23D25H501E"),
}
"""Rule of :mod:`fivefold.governance.personal.rules` to numbers that keep it."""

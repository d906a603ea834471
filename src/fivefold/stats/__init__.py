"""Intervals, tests and judgements that techniques share: arrays in, arrays out, one-sided 95 % by default."""

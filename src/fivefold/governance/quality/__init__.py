"""Data quality (D2): integrity, accuracy, availability, confidentiality, coverage, leakage and drift, each measured."""

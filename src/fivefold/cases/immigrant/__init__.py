"""X7: a credit score built on network behaviour turns down people with little of the language."""

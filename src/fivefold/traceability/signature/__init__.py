"""The model's signature (T2.signature), checked on the very bytes that were loaded."""

"""Ciphertext learning: answers and training on encrypted rows; the key stays with whoever owns them."""

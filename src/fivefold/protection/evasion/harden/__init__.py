"""Adversarial training (``model train --robust``): the application's net is trained on rows that attacks changed."""

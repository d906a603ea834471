"""Gates: each shown letting a good build through and refusing bad ones."""

"""Proxies (F1.proxies): paths by which a protected field acts through other features, also when it is none itself."""

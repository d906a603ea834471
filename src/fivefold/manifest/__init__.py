"""What an application declares: ``fivefold.yaml`` as a frozen value, every fault with file, line and remedy."""

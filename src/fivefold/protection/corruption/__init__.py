"""P3.corruption: what is missed when images, sensors and sound are worse than the test data."""

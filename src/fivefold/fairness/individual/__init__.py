"""Individual fairness (F1.individual): a protected field alone changed, twins a little apart, benefits of each one."""

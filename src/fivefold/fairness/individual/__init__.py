"""Individual fairness (F1.individual): the protected field alone changed, twins a little apart, benefits of each one."""

"""Row C3: below a calibrated certainty the decision falls from the model to simpler means, rules, people."""

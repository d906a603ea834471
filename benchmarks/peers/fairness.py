"""MetricFrame of fairlearn; run by its own interpreter: ``python fairness.py ROWS``.

Prints seconds of the processor of five metrics by five groups without intervals, and all twelve of ours by group.
"""

import json
import sys
import time

from fairlearn.metrics import (
    MetricFrame,
    false_negative_rate,
    false_positive_rate,
    selection_rate,
    true_negative_rate,
    true_positive_rate,
)
from fairness_rows import drawn
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score, precision_score


def negative_predictive_value(truth, answer):
    """Return the share of rows without the favourable answer that did not deserve it."""
    return precision_score(truth, answer, pos_label=0)


FIVE = {
    "selection rate": selection_rate,
    "true positive rate": true_positive_rate,
    "false positive rate": false_positive_rate,
    "positive predictive value": precision_score,
    "accuracy": accuracy_score,
}
TWELVE = FIVE | {
    "true negative rate": true_negative_rate,
    "false negative rate": false_negative_rate,
    "negative predictive value": negative_predictive_value,
    "false discovery rate": lambda truth, answer: 1 - precision_score(truth, answer),
    "false omission rate": lambda truth, answer: 1 - negative_predictive_value(truth, answer),
    "balanced accuracy": balanced_accuracy_score,
    "F1 score": f1_score,
}


def main(rows):
    """Measure."""
    group, truth, answer = drawn(rows)
    begun = time.process_time()
    timed = MetricFrame(metrics=FIVE, y_true=truth, y_pred=answer, sensitive_features=group)
    timed.by_group  # noqa: B018  computed when asked for
    cost = time.process_time() - begun
    part = slice(0, 100_000)
    found = MetricFrame(metrics=TWELVE, y_true=truth[part], y_pred=answer[part], sensitive_features=group[part])
    print(json.dumps({"cpu": cost, "five": timed.by_group.to_dict(), "twelve": found.by_group.to_dict()}))


if __name__ == "__main__":
    main(int(sys.argv[1]))

"""X8: a threshold that errs in none of 280 pairs searches a gallery of mug shots."""

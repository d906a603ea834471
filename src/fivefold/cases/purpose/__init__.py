"""X10: requests for another purpose, said to be for another one and said to be for the declared one."""

"""P3.backdoor: does a small hidden trigger send rows of every class to one class?"""

"""P3.faults: how much of what a network gets right is left once bits of its weights flip, or weights are rounded?"""

"""P3.operating-point and P3.identification: what a threshold costs, one to one and in a gallery."""

"""P3.membership: can somebody who queries the model tell which rows trained it?"""

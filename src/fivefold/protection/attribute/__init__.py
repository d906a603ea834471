"""P3.attribute: does the model tell a hidden attribute of a person, beyond what can be said without it?"""

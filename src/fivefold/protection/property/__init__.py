"""P3.property: does the model tell what its training set was made of, and whether a data set was in it?"""

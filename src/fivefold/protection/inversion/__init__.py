"""P3.inversion: can somebody who asks the model rebuild rows that it was trained on?"""

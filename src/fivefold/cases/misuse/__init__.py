"""X9: data of people used for something that they were not given for, or somewhere that they must not go."""

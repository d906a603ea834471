"""Challenge cases: something that went wrong in the world, before and after, told with figures."""

"""Privacy: releases with discrete noise, what they cost, and the attacks that would show too little of it (row S2)."""

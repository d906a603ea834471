"""Smooth: answers by vote under drawn noise, the radius that they are certified for, and attacks inside of it."""

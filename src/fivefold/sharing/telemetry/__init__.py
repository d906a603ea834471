"""S6: reports that devices randomise themselves, what a server can estimate from them, and an audit of the device."""

"""A service under mixed traffic for a long time, with faults and restarts: how often it errs beside them, and whether it grows."""

"""The audit log: every denial and every administrative act as a row that hangs on the row before."""

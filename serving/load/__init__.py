"""The service under load: who waits in which order, what is classified together, and who is turned away early."""

"""Changes of the list of reasons: what they would change, old deals carried over, and what is left to people."""

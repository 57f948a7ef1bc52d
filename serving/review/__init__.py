"""The review desk: what waits for a person, what a person says of it, and what follows."""

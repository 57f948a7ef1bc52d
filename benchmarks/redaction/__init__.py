"""How much personal data redaction finds and how many names and figures it leaves alone."""

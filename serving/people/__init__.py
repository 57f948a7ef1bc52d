"""The people who use the pages: accounts, sign-in, sessions, and who may see and do what."""

"""Personal data that rests: how long each kind of record is kept, how it is erased, and what is told to whom it is about."""

"""A service under faults: servers, workers, database and CRM as processes that are killed, cut off and held up."""

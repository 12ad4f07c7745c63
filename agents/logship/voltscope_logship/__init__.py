"""Ships a VOLTTRON platform's log, searchable at once."""

"""A service from elsewhere: finding it, submitting, waiting, watching, fetching. Nothing here needs torch."""
